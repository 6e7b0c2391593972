"""One module for each public dataset: from the files as their owner gives them to a stream of cases.

An adapter has ``Options``, a frozen dataclass, and four functions of a raw folder, the facts of the manifest
and options: ``cases`` streams the cases, ``info`` says what holds for all of them, ``splits`` names the
parts, and ``notes`` tells what was found about the source as a whole.
"""
