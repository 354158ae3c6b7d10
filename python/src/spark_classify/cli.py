"""The command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from spark_classify.errors import ClassifyError
from spark_classify.export import needing_extra
from spark_classify.jars import jar_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command: 0 where all is well, 1 where not, 2 where the command line is wrong."""
    parsed = parser().parse_args(arguments)
    try:
        return _run(parsed)
    except ClassifyError as error:
        print(f"spark-classify: {error}", file=sys.stderr)
        return 1


def _run(parsed: argparse.Namespace) -> int:
    if parsed.command == "check":
        from spark_classify.check import check

        return check(parsed.directory, parsed.classify_bench)
    if parsed.command == "jars":
        print(jar_path(parsed.spark, parsed.scala))
        return 0
    # Around the import alone: what is missing later may be a module of the user's own.
    with needing_extra():
        from spark_classify.export.command import export
    return export(parsed)


def parser() -> argparse.ArgumentParser:
    """All commands and options."""
    top = argparse.ArgumentParser(
        prog="spark-classify", description="Makes and checks model directories, and names the jars for Spark."
    )
    commands = top.add_subparsers(dest="command", required=True)
    _add_check(commands.add_parser("check", help="explain what a model directory does to an image, and what it lacks"))
    _add_jars(commands.add_parser("jars", help="print the jars that a Spark needs, as --jars takes them"))
    _add_export(
        commands.add_parser(
            "export",
            help="make a model directory of a trained network, and compare the two on images",
            description="Makes a model directory of a trained network, and compares the two on images. Nothing is "
            "downloaded.",
        )
    )
    return top


def _add_check(check: argparse.ArgumentParser) -> None:
    check.add_argument("directory", type=Path, help="the model directory")
    _add_classify_bench(check)


def _add_jars(jars: argparse.ArgumentParser) -> None:
    jars.add_argument("--spark", metavar="VERSION", help="of which Spark: 3.5.9 [default: the installed one]")
    jars.add_argument("--scala", metavar="VERSION", help="with which Scala: 2.12 [default: its own]")


def _add_export(export: argparse.ArgumentParser) -> None:
    source = export.add_argument_group("what to export").add_mutually_exclusive_group(required=True)
    source.add_argument("--hugging-face", type=Path, metavar="DIR", help="a directory that save_pretrained wrote")
    source.add_argument("--timm", metavar="NAME", help="a model of timm, with or without a tag: resnet18.a1_in1k")
    source.add_argument("--torchvision", metavar="NAME", help="a classifier of torchvision: resnet18")
    source.add_argument("--module", metavar="PKG.MOD:FACTORY", help="a function that makes your torch.nn.Module")

    network = export.add_argument_group("its weights, labels and preprocessing")
    network.add_argument("--weights", type=Path, metavar="FILE", help="the state dict: .safetensors, or torch.save's")
    network.add_argument("--random", action="store_true", help="random weights, for a trial")
    network.add_argument("--labels", type=Path, metavar="FILE", help="class names, one a line, in class-id order")
    network.add_argument(
        "--preprocessor",
        type=Path,
        metavar="FILE",
        help="a preprocessor_config.json, in the place of the source's own steps",
    )
    network.add_argument("--preset", metavar="WEIGHTS", help="torchvision: whose steps, IMAGENET1K_V2 for example")

    texts = export.add_argument_group("Hugging Face: other than its own labels")
    texts.add_argument(
        "--zero-shot", type=Path, metavar="FILE", help="CLIP, SigLIP: a classifier of these labels, one a line"
    )
    texts.add_argument(
        "--template",
        action="append",
        metavar="TEXT",
        help="text around a label, {} in its place; several are averaged [default: 'a photo of a {}']",
    )
    texts.add_argument("--embeddings", action="store_true", help="the image's embedding instead of classes")
    texts.add_argument("--pooling", choices=["cls", "mean"], help="with --embeddings: what is made of the tokens")

    result = export.add_argument_group("the directory")
    result.add_argument("--out", type=Path, required=True, metavar="DIR", help="the model directory to write")
    result.add_argument("--force", action="store_true", help="replace the directory if it is there")
    result.add_argument(
        "--formats",
        type=_formats,
        default="onnx,torchscript",
        metavar="LIST",
        help="onnx, torchscript or both [default: %(default)s]",
    )

    comparison = export.add_argument_group("the comparison")
    comparison.add_argument("--images", type=Path, metavar="DIR", help="images to compare on [default: made ones]")
    comparison.add_argument(
        "--tolerance", type=float, default=1e-4, help="how far outputs may differ [default: %(default)s]"
    )
    comparison.add_argument("--without-classify-bench", action="store_true", help="do not ask the core, if it is there")
    _add_classify_bench(comparison)


def _add_classify_bench(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--classify-bench", type=Path, metavar="PROGRAM", help="the core as a program [default: found on PATH]"
    )


def _formats(text: str) -> list[str]:
    known = ("onnx", "torchscript")
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"`{name}` is not one of {', '.join(known)}")
    return names
