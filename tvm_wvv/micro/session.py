"""From what a user names (a model or an archive, options, a board) to a compiled network and to something that runs it.

Refuses, before any long work: names that stand for nothing, unknown boards, compile options for what is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tvm_wvv import models
from tvm_wvv.errors import WvvError
from tvm_wvv.frontends import tflite
from tvm_wvv.micro import archive
from tvm_wvv.micro.board import X86, Board, load_board
from tvm_wvv.micro.cmsis_nn import library_for
from tvm_wvv.micro.fit import check_fit
from tvm_wvv.micro.flash_limit import check_limit, weight_room
from tvm_wvv.micro.link import IN_QEMU, Link, board_runner, check_link
from tvm_wvv.micro.network import Network, compiled, of_archive, with_whole_names
from tvm_wvv.micro.progress import Progress, silent
from tvm_wvv.micro.runners import OnBoard, OnHost, OnReference, OnSerial, Runner
from tvm_wvv.micro.x86_folder import is_library, library_in, model_beside
from tvm_wvv.micro.x86_loaded import load
from tvm_wvv.passes import pipeline
from tvm_wvv.passes.options import Options, RecipeFile, Target
from tvm_wvv.quant.recipe import read_recipe

REFERENCE = "reference"
"""The pseudo board of TFLite's reference kernels."""
_NEED = "need a .tflite file, what wvv compile made, or a packaged network"


@dataclass(frozen=True)
class Session:
    """One model, archive or library for x86 under one set of options."""

    path: Path
    options: Options
    progress: Progress = silent

    @property
    def is_archive(self) -> bool:
        # By its name too: a damaged archive must be called one, not a bad model.
        return self.path.suffix == ".tar" or archive.is_archive(self.path)

    @property
    def is_library(self) -> bool:
        return is_library(self.path)

    @property
    def is_compiled(self) -> bool:
        """Whether it is too late for options."""
        return self.is_archive or self.is_library

    def network(self, board: Board | None) -> Network:
        """Its C text and figures, for the core of `board`; None where it is not to run on one."""
        if self.is_library:
            raise WvvError(f"{self.path}: is compiled for {X86} and holds nothing else; name its .tflite instead")
        if self.is_archive:
            network = of_archive(self.path)
            if network.library is not None and (board is None or board.name != network.board):
                raise WvvError(
                    f"{self.path}: calls {network.library} with scratch sized for {network.board}; "
                    f"name that board, or the .tflite"
                )
            return network
        network = self._compiled(board, self.fitted(board).options)
        check_limit(network, self.options.flash_bytes)
        return network

    def fitted(self, board: Board | None) -> Session:
        """The same, with `auto` held to the board's flash where the fastest forms of all layers overfill it."""
        if self.is_compiled or board is None or self.options.winograd != "auto" or self.options.flash_bytes is not None:
            return self
        room = weight_room(board)
        if self._compiled(board, self.options).emitted.weight_bytes <= room:
            return self
        return replace(self, options=replace(self.options, flash_bytes=room))

    def _compiled(self, board: Board | None, options: Options) -> Network:
        target: Target = board.target if board else "cortex_m"
        return compiled(self.path, options, self.progress, target, library_for(options, board))

    def runner(self, board_name: str, link: Link = IN_QEMU) -> Runner:
        """What runs it on a board, reached by `link`, on `x86` or on the `reference` kernels."""
        board = None if board_name in (X86, REFERENCE) else load_board(board_name)
        check_link(link, board)
        if board is not None:
            return self._on_board(board, link)
        if board_name == X86:
            return self._on_host()
        runner = self.reference()
        if runner is None:
            raise WvvError(f"{self.path}: holds no model for the reference kernels; name the .tflite instead")
        return runner

    def reference(self) -> OnReference | None:
        """The reference kernels on the same model; None for an archive that was written without it."""
        from tvm_wvv.reference.golden import Golden

        source = self._model()
        if source is None:
            return None
        model = tflite.from_bytes(source, "model", str(self.path))
        return OnReference(Golden(source), model.inputs, model.outputs)

    def _model(self) -> bytes | None:
        """The .tflite itself, where it is at hand."""
        if self.is_library:
            return model_beside(self.path)
        return archive.read(self.path).model if self.is_archive else self.path.read_bytes()

    def _on_board(self, board: Board, link: Link) -> OnBoard | OnSerial:
        network = self.network(board)
        check_fit(network, board)
        self.progress("build firmware", 0, 1)
        runner = board_runner(network, board, link)
        self.progress("build firmware", 1, 1)
        return runner

    def _on_host(self) -> OnHost:
        """TVM's LLVM back end on the model lowered for this host, or on the module that an archive holds; a library
        as it is.
        """
        from tvm_wvv.micro.in_process import InProcess

        if self.is_library:
            library = load(self.path)
            return OnHost(library, library.facts.inputs, library.facts.outputs)
        library_for(self.options, None)  # refuses what does not run here
        if self.is_archive:
            lowered = self.network(None).lowered
            return OnHost(InProcess(lowered), lowered.inputs, lowered.outputs)
        model = tflite.load(self.path)
        options = for_this_host(self.options)
        together = tflite.batched(self.path.read_bytes(), options.batch, model.name, str(self.path))
        compiled = InProcess(pipeline.lower(together, options, "x86"))
        return OnHost(compiled, model.inputs, model.outputs, options.batch)


def for_this_host(options: Options) -> Options:
    """Options for kernels that run in this process, and make the most of its CPU unless another is named."""
    return options if options.mcpu else replace(options, mcpu="native")


def open_session(named: str, options: Options, progress: Progress = silent) -> Session:
    """The session of what a user named: a word of `models`, a .tflite file, an archive, or a library for x86.

    A packaged network that was trained through a Winograd form has a recipe, which `auto` follows.
    """
    path, need = models.packaged(named) or library_in(Path(named)), f"{_NEED}: {', '.join(models.WORDS)}"
    if path.is_dir():
        raise WvvError(f"{named}: is a folder, {need}")
    if not path.exists():
        raise WvvError(f"{named}: no such file; {need}")
    session = Session(path, options, progress)
    if not session.is_compiled:
        return replace(session, options=with_whole_names(path, _with_own_recipe(named, options), progress))
    if options != Options():
        late = "too late for --winograd, --layer, --recipe and --mcpu"
        raise WvvError(f"{named}: is compiled already, {late}; name its .tflite instead")
    return session


def _with_own_recipe(named: str, options: Options) -> Options:
    own = models.packaged_recipe(named)
    if own is None or options.recipe is not None or options.winograd != "auto":
        return options
    return replace(options, recipe=RecipeFile(own.name, read_recipe(own)))
