"""The encoders: torchvision's names and shapes, dilation for stride, and weights from a file."""

import hashlib

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from noisylabels.errors import UsageError
from noisylabels_plugins.parts.mobilenet import MobileNetV2
from noisylabels_plugins.parts.resnet import ResNet
from noisylabels_plugins.parts.weights import files_left_alone, load_encoder

ENCODERS = {
    "resnet18": lambda: ResNet(18, 3),
    "resnet34": lambda: ResNet(34, 3),
    "resnet50": lambda: ResNet(50, 3),
    "resnet101": lambda: ResNet(101, 3),
    "mobilenet_v2": lambda: MobileNetV2(3),
}

# Of torchvision 0.29 without the classifier (and features.18): weights, tensors in the state_dict, first digits of
# the SHA-256 of the lines "name (shape)" in its order.
TORCHVISION = {
    "resnet18": (11_176_512, 120, "d8fbddf83f82d90b"),
    "resnet34": (21_284_672, 216, "f52dc741569285b5"),
    "resnet50": (23_508_032, 318, "f4448622d483010e"),
    "resnet101": (42_500_160, 624, "5ccccc99c629e454"),
    "mobilenet_v2": (2_223_872 - 412_160, 306, "1c5f2d04f2b7d574"),
}
SHAPES = {
    "resnet18": {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.running_var": (64,),
        "bn1.num_batches_tracked": (),
        "layer1.0.conv1.weight": (64, 64, 3, 3),
        "layer2.0.downsample.0.weight": (128, 64, 1, 1),
        "layer2.0.downsample.1.running_mean": (128,),
        "layer4.1.bn2.bias": (512,),
    },
    "resnet34": {"layer3.5.conv2.weight": (256, 256, 3, 3), "layer4.2.bn1.weight": (512,)},
    "resnet50": {
        "layer1.0.conv1.weight": (64, 64, 1, 1),
        "layer1.0.conv3.weight": (256, 64, 1, 1),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer3.5.conv2.weight": (256, 256, 3, 3),
        "layer4.2.bn3.weight": (2048,),
    },
    "resnet101": {
        "layer3.22.conv3.weight": (1024, 256, 1, 1),
        "layer4.0.downsample.0.weight": (2048, 1024, 1, 1),
    },
    "mobilenet_v2": {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.0.1.bias": (32,),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.1.conv.2.running_mean": (16,),
        "features.2.conv.0.0.weight": (96, 16, 1, 1),
        "features.2.conv.1.0.weight": (96, 1, 3, 3),
        "features.17.conv.2.weight": (320, 960, 1, 1),
        "features.17.conv.3.weight": (320,),
    },
}


@pytest.mark.parametrize("name", ENCODERS)
def test_names_and_shapes_are_torchvisions(name):
    with torch.device("meta"):
        encoder = ENCODERS[name]()
    shapes = {key: tuple(tensor.shape) for key, tensor in encoder.state_dict().items()}
    weights, tensors, digest = TORCHVISION[name]
    assert shapes == shapes | SHAPES[name]
    assert sum(p.numel() for p in encoder.parameters()) == weights
    assert len(shapes) == tensors
    lines = "".join(f"{key} {shape}\n" for key, shape in shapes.items())
    assert hashlib.sha256(lines.encode()).hexdigest().startswith(digest)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2"])
@pytest.mark.parametrize("size", [(64, 96), (33, 41)])
@torch.inference_mode()
def test_maps_have_their_widths_and_strides(name, size):
    encoder = ENCODERS[name]().eval()
    for index, found in enumerate(encoder(torch.randn(1, 3, *size))):
        assert found.shape == (1, encoder.widths[index], *(-(-n // 2 ** (index + 2)) for n in size))


@pytest.mark.parametrize("layers", [18, 50])
@pytest.mark.parametrize("stride_in", ["3x3", "1x1"])
@pytest.mark.parametrize("output_stride", [8, 16])
@torch.inference_mode()
def test_dilation_gives_what_stride_gave_and_the_positions_between(layers, stride_in, output_stride):
    strided = lively(ResNet(layers, 3, stride_in=stride_in, ceil_mode=True))
    dilated = ResNet(layers, 3, output_stride=output_stride, stride_in=stride_in, ceil_mode=True).eval()
    dilated.load_state_dict(strided.state_dict())
    image = torch.randn(1, 3, 40, 58)
    for coarse, fine, stride in zip(strided(image), dilated(image), (4, 8, 16, 32), strict=True):
        step = max(1, stride // output_stride)
        torch.testing.assert_close(fine[..., ::step, ::step], coarse, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_the_place_of_the_stride_changes_the_maps_but_no_name():
    one, other = lively(ResNet(50, 3)), ResNet(50, 3, stride_in="1x1").eval()
    other.load_state_dict(one.state_dict())
    image = torch.randn(1, 3, 64, 64)
    maps = list(zip(one(image), other(image), strict=True))
    assert torch.equal(*maps[0]), "no stride in the first stage"
    assert not torch.allclose(*maps[1])


@torch.inference_mode()
def test_sizes_of_the_released_jcas():
    image = torch.randn(1, 3, 256, 320)
    maps = ResNet(18, 3, output_stride=8, ceil_mode=True).eval()(image)
    assert [tuple(found.shape[2:]) for found in maps] == [(65, 81), (33, 41), (33, 41), (33, 41)]


def test_random_blocks_start_as_their_shortcut():
    encoder = ResNet(18, 3).train()
    x = torch.randn(2, 64, 9, 9).relu()
    assert torch.equal(encoder.layer1[1](x), x)


def test_other_numbers_of_layers_are_refused():
    with pytest.raises(UsageError, match="18, 34, 50, 101, not 20"):
        ResNet(20, 3)


def lively(encoder):
    """In evaluation mode, with batch normalisation that does something."""
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.uniform_(module.running_var, 1, 2)
    return encoder.eval()


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(1)
    return lively(ResNet(18, 3)).state_dict()


def same(encoder, tensors):
    return all(torch.equal(tensor, tensors[name]) for name, tensor in encoder.state_dict().items())


WRAPPINGS = {
    "plain": lambda tensors: tensors,
    "state_dict": lambda tensors: {"state_dict": tensors, "epoch": 3},
    "model": lambda tensors: {"model": tensors},
    "module.": lambda tensors: {f"module.{name}": tensor for name, tensor in tensors.items()},
    "both": lambda tensors: {"state_dict": {f"module.{name}": tensor for name, tensor in tensors.items()}},
    "Scale.": lambda tensors: {f"Scale.{name}": tensor for name, tensor in tensors.items()},
    "classifier": lambda tensors: tensors | {"fc.weight": torch.ones(1000, 512), "fc.bias": torch.ones(1000)},
    "old": lambda tensors: {n: t for n, t in tensors.items() if "num_batches" not in n},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_file_of_torch(tmp_path, trained, wrapping):
    file = tmp_path / "weights.pth"
    torch.save(WRAPPINGS[wrapping](trained), file)
    encoder = ResNet(18, 3)
    assert not same(encoder, trained)
    source = load_encoder(encoder, str(file))
    assert same(encoder, trained)
    assert source == f"weights.pth sha256:{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"


def test_a_folder_of_files_gives_the_one_of_the_encoder(tmp_path, trained):
    for name in ("resnet18-f37072fd.pth", "resnet34-b627a593.pth"):
        torch.save(trained, tmp_path / name)
    encoder = ResNet(18, 3)
    assert load_encoder(encoder, str(tmp_path)).startswith("resnet18-f37072fd.pth sha256:")
    assert same(encoder, trained)
    with pytest.raises(UsageError, match=r"has no file whose name starts with resnet50; one is needed"):
        load_encoder(ResNet(50, 3), str(tmp_path))
    torch.save(trained, tmp_path / "resnet18.pt")
    with pytest.raises(UsageError, match=r"has 2 files whose name starts with resnet18"):
        load_encoder(encoder, str(tmp_path))


def test_a_safetensors_file(tmp_path, trained):
    save_file(trained, tmp_path / "weights.safetensors")
    encoder = ResNet(18, 3)
    assert load_encoder(encoder, str(tmp_path / "weights.safetensors")).startswith(
        "weights.safetensors sha256:"
    )
    assert same(encoder, trained)


def test_mobilenet_passes_over_what_only_its_classifier_needs(tmp_path):
    trained = lively(MobileNetV2(3)).state_dict()
    more = {"features.18.0.weight": torch.ones(1280, 320, 1, 1), "classifier.1.bias": torch.ones(1000)}
    save_file(trained | more, tmp_path / "w.safetensors")
    encoder = MobileNetV2(3)
    load_encoder(encoder, str(tmp_path / "w.safetensors"))
    assert same(encoder, trained)


def test_without_a_file_the_weights_stay_random():
    encoder = ResNet(18, 3)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    assert load_encoder(encoder, None) == "random"
    assert same(encoder, before)


def test_a_checkpoint_to_come_needs_no_file():
    encoder = ResNet(18, 3)
    with files_left_alone():
        assert load_encoder(encoder, "gone/weights.pth") == "weights.pth"
    with pytest.raises(UsageError):
        load_encoder(encoder, "gone/weights.pth")


@pytest.mark.parametrize("channels", [1, 2, 4])
@torch.inference_mode()
def test_grey_images_get_what_grey_rgb_got(tmp_path, trained, channels):
    torch.save(trained, tmp_path / "w.pth")
    colour, other = ResNet(18, 3).eval(), ResNet(18, channels).eval()
    load_encoder(colour, str(tmp_path / "w.pth"))
    load_encoder(other, str(tmp_path / "w.pth"))
    grey = torch.randn(1, 1, 40, 40)
    one, same_again = (net(grey.expand(-1, c, -1, -1))[3] for net, c in ((colour, 3), (other, channels)))
    torch.testing.assert_close(one, same_again, rtol=1e-4, atol=1e-4)


def renamed(tensors):
    return {name.replace("layer4.1", "layer9.1"): tensor for name, tensor in tensors.items()}


UNFIT = {
    "another network": (
        lambda _: ResNet(50, 3).state_dict(),
        r"w\.pth does not fit the encoder: 198 unknown \(layer1\.0\.conv3\.weight, .*\.\.\.\); "
        r"\d+ of another shape \(layer1\.0\.conv1\.weight is 64x64x1x1, not 64x64x3x3, .*\.\.\.\); "
        r"give torchvision's weights of resnet18\.",
    ),
    "names missing": (
        lambda tensors: {n: t for n, t in tensors.items() if n != "layer4.1.bn2.bias"},
        r"1 missing \(layer4\.1\.bn2\.bias\); give",
    ),
    "other names": (renamed, r"10 missing \(layer4\.1\.conv1\.weight, .*12 unknown"),
    "a wider first convolution": (
        lambda tensors: tensors | {"conv1.weight": torch.ones(32, 3, 7, 7)},
        r"1 of another shape \(conv1\.weight is 32x3x7x7, not 64x3x7x7\)",
    ),
    "a flat first convolution": (
        lambda tensors: tensors | {"conv1.weight": torch.ones(64)},
        r"conv1\.weight is 64, not 64x3x7x7",
    ),
    "nothing": (lambda _: {}, r"100 missing"),
    "numbers": (lambda _: {"epoch": 3}, r"w\.pth holds no state_dict"),
    "a tensor": (lambda _: torch.ones(3), r"w\.pth holds no state_dict"),
    "an object": (lambda _: nn.Linear(2, 2), r"w\.pth cannot be read as weights \(UnpicklingError\)"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_file_that_does_not_fit_changes_nothing(tmp_path, trained, what):
    content, message = UNFIT[what]
    torch.save(content(trained), tmp_path / "w.pth")
    encoder = ResNet(18, 3)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    with pytest.raises(UsageError, match=message) as caught:
        load_encoder(encoder, str(tmp_path / "w.pth"))
    assert same(encoder, before)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a weight file", None])
def test_a_file_that_cannot_be_read(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(
        UsageError, match="cannot be read as weights" if content is not None else "There is no file"
    ):
        load_encoder(ResNet(18, 3), str(tmp_path / name))
