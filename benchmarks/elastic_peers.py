"""Public tools that deform label maps elastically, for ``elastic.py``: each with a random field of its own a call."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from corruptions import Job, installed

from noisylabels.case import Case

POINTS, SIGMA = 3, 8.0
RNG = np.random.default_rng(0)


def by_elasticdeform(case: Case) -> Job | None:
    """The package, with a grid as it draws it."""
    package = installed("elasticdeform")
    if package is None:
        return None
    ndim = case.labels.ndim
    return lambda: package.deform_grid(
        case.labels, RNG.standard_normal((ndim, *(POINTS,) * ndim)) * SIGMA, order=0, mode="nearest"
    )


def by_zoom(case: Case) -> Job | None:
    """scipy: the grid zoomed to the frame, and map_coordinates."""
    from scipy import ndimage

    shape = case.labels.shape
    if case.labels.size > 1e7:  # gigabytes of coordinates
        return None

    def run() -> Any:
        grid = RNG.standard_normal((len(shape), *(POINTS,) * len(shape))) * SIGMA
        places = np.indices(shape, dtype=np.float64)
        for axis in range(len(shape)):
            places[axis] += ndimage.zoom(grid[axis], [n / POINTS for n in shape], order=3, mode="mirror")
        return ndimage.map_coordinates(case.labels, places, order=0, mode="nearest")

    return run


def by_gauss(case: Case) -> Job | None:
    """scipy: smoothed noise, and map_coordinates; sigma of the filter as in batchgenerators."""
    from scipy import ndimage

    shape = case.labels.shape
    if case.labels.size > 1e7:
        return None

    def run() -> Any:
        places = np.indices(shape, dtype=np.float64)
        for axis in range(len(shape)):
            field = ndimage.gaussian_filter(RNG.uniform(-1, 1, shape), 10.0, mode="constant")
            places[axis] += field * (SIGMA / field.std())
        return ndimage.map_coordinates(case.labels, places, order=0, mode="nearest")

    return run


def by_sitk(case: Case) -> Job | None:
    """SimpleITK: a B-spline transform with a mesh of two cells, and Resample."""
    sitk = installed("SimpleITK")
    if sitk is None:
        return None
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

    def run() -> Any:
        image = sitk.GetImageFromArray(case.labels)
        moved = sitk.BSplineTransformInitializer(image, [POINTS - 1] * case.labels.ndim, 3)
        moved.SetParameters((RNG.standard_normal(len(moved.GetParameters())) * SIGMA).tolist())
        return sitk.GetArrayFromImage(sitk.Resample(image, image, moved, sitk.sitkNearestNeighbor, 0))

    return run


def by_opencv(case: Case, prepared: bool = False) -> Job | None:
    """OpenCV: the grid resized to the frame, and remap; ``prepared``: the places of the pixels are made once before."""
    cv2 = installed("cv2")
    if cv2 is None or case.labels.ndim == 3:
        return None
    cv2.setNumThreads(1)
    height, width = case.labels.shape
    made = np.indices((height, width), dtype=np.float32)

    def run() -> Any:
        grid = RNG.standard_normal((2, POINTS, POINTS), dtype=np.float32) * SIGMA
        dy, dx = (cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in grid)
        y, x = made if prepared else np.indices((height, width), dtype=np.float32)
        return cv2.remap(case.labels, x + dx, y + dy, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)

    return run


def by_torch(case: Case) -> Job | None:
    """torch: the grid interpolated (in 3-D linearly: it has no cubic there), and grid_sample."""
    torch = installed("torch")
    if torch is None:
        return None
    torch.set_num_threads(1)
    shape, ndim = case.labels.shape, case.labels.ndim
    lines = [torch.linspace(-1, 1, n) for n in shape]
    base = torch.stack(torch.meshgrid(*lines, indexing="ij")[::-1], dim=-1)[None]
    scale = torch.tensor([2.0 / (n - 1) for n in shape[::-1]])
    how = "bicubic" if ndim == 2 else "trilinear"

    def run() -> Any:
        grid = torch.randn(1, ndim, *(POINTS,) * ndim) * SIGMA
        field = torch.nn.functional.interpolate(grid, size=shape, mode=how, align_corners=True)
        places = base + field.movedim(1, -1) * scale
        source = torch.from_numpy(case.labels)[None, None].float()
        found = torch.nn.functional.grid_sample(
            source, places, mode="nearest", padding_mode="border", align_corners=True
        )
        return found[0, 0].to(torch.uint8).numpy()

    return run


def by_monai(case: Case) -> Job | None:
    """MONAI: Rand2DElastic, Rand3DElastic."""
    if installed("monai") is None or case.labels.size > 1e7:  # 5.6 GB at 180 x 180 x 88
        return None
    transforms = import_module("monai.transforms")
    if case.labels.ndim == 2:
        gap = tuple(n / (POINTS - 1) for n in case.labels.shape)
        made = transforms.Rand2DElastic(
            spacing=gap, magnitude_range=(SIGMA, SIGMA), prob=1.0, mode="nearest", padding_mode="border"
        )
    else:
        made = transforms.Rand3DElastic(
            sigma_range=(10, 10),
            magnitude_range=(SIGMA, SIGMA),
            prob=1.0,
            mode="nearest",
            padding_mode="border",
        )
    source = case.labels[None].astype(np.float32)
    return lambda: np.asarray(made(source)).astype(np.uint8)[0]


def by_torchio(case: Case) -> Job | None:
    """TorchIO: RandomElasticDeformation (5 control points, its fewest with a movable one in the middle)."""
    if installed("torchio") is None:
        return None
    torchio, torch = import_module("torchio"), import_module("torch")
    labels = case.labels if case.labels.ndim == 3 else case.labels[..., None]
    made = torchio.RandomElasticDeformation(
        num_control_points=5,
        max_displacement=tuple(SIGMA if n > 1 else 0 for n in labels.shape),
        locked_borders=2,
    )
    source = torch.from_numpy(labels)[None]
    return lambda: made(torchio.LabelMap(tensor=source)).data.numpy()[0]


def by_batchgenerators(case: Case) -> Job | None:
    """batchgeneratorsv2: SpatialTransform with an elastic part alone."""
    if installed("batchgeneratorsv2") is None:
        return None
    torch, spatial = import_module("torch"), import_module("batchgeneratorsv2.transforms.spatial.spatial")
    made = spatial.SpatialTransform(
        case.labels.shape, 0, False, p_elastic_deform=1, elastic_deform_scale=(0.2, 0.2),
        elastic_deform_magnitude=(SIGMA, SIGMA), mode_seg="nearest", border_mode_seg="border",
    )  # fmt: skip
    source = torch.from_numpy(case.labels.astype(np.int16))[None]

    def run() -> Any:
        return made._apply_to_segmentation(source, **made.get_parameters(image=source, segmentation=source))

    return run


PEERS: dict[str, Callable[[Case], Job | None]] = {
    "elasticdeform": by_elasticdeform,
    "OpenCV remap": by_opencv,
    "OpenCV remap, places prepared": lambda case: by_opencv(case, prepared=True),
    "torch grid_sample": by_torch,
    "batchgeneratorsv2": by_batchgenerators,
    "Gaussian field, map_coordinates": by_gauss,
    "zoomed grid, map_coordinates": by_zoom,
    "SimpleITK B-spline": by_sitk,
    "TorchIO": by_torchio,
    "MONAI": by_monai,
}
