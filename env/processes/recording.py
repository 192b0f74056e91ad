"""Recorded arrays: from files of many kinds, from NumPy arrays and from pandas frames.

| ending, in any case | kind | read with |
| --- | --- | --- |
| `.mat` | MATLAB before v7.3 | SciPy, the extra 'data' |
| `.mat` | MATLAB v7.3, an HDF5 file whose axes are in reverse order | h5py, the extra 'data' |
| `.h5`, `.hdf5` | HDF5; a variable in a group is named 'group/variable' | h5py, the extra 'data' |
| `.npz`, `.npy` | NumPy | NumPy |
| `.csv` | a table of numbers, one frame a line, separated by commas, semicolons or tabs | NumPy |

Nothing in a file is executed.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import FloatArray, InputError, file_path, real_numbers
from .csv_table import read_csv

ENDINGS = (".mat", ".npz", ".npy", ".csv", ".h5", ".hdf5")
_SIGNATURES = {
    b"PK\x03\x04": ".npz",
    b"\x93NUMPY": ".npy",
    b"MATLAB": ".mat",
    b"\x89HDF\r\n\x1a\n": ".h5",
}
"""How files begin, and the ending that such a file should have."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MATLAB_BLOCK = 512
"""Bytes before an HDF5 file that MATLAB wrote."""

Arrays = dict[str, np.ndarray]


class Recording:
    """Arrays by name.

    Args:
        source: the path of a file of the kinds above; or, in code, an array or a data frame (a table without a
            name), or a mapping of arrays by name.
        wanted: names that will be asked for besides those that a setting names; others may be left unread.
        index_column: whether a table's first column numbers or dates the frames and is left out; by default it is
            found out (`env.processes.csv_table`). Of `.csv` files only.

    Attributes:
        name: the path, or what was given in code; for messages.

    Raises:
        InputError: for a file that is not what its ending says, or `index_column` for another kind.
        FileNotFoundError: when there is no such file.
        ImportError: when a library is missing, naming the extra.
    """

    def __init__(self, source: Any, wanted: Collection[str] = (), index_column: bool | None = None) -> None:
        if not all(isinstance(name, str) for name in wanted):
            raise InputError(f"variable must be the name of an array, got {next(iter(wanted))!r}")
        table: np.ndarray | None = None
        arrays: Arrays = {}
        is_file = isinstance(source, str | Path)
        path = file_path("path", source) if is_file else Path()
        self.name = str(source) if is_file else "the array"
        ending = path.suffix.lower() if is_file else ""
        if index_column is not None and ending != ".csv":
            raise InputError(f"index_column must be left out for {self.name}, it is of .csv files")
        if not is_file:
            if isinstance(source, Mapping):
                arrays = {str(name): np.asarray(_unmasked(array)) for name, array in source.items()}
                self.name = "the arrays"
            else:
                table = _table(source)
        elif not path.is_file():
            hint = "" if ending in ENDINGS else " (a class of channels must inherit env.Channel)"
            raise FileNotFoundError(f"no such trace file: {path}{hint}")
        elif ending not in ENDINGS:
            raise InputError(f"a trace must be a {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]} file, got {path}")
        elif ending == ".csv":
            table = read_csv(path, index_column)
        else:
            try:
                if ending == ".npy":
                    with path.open("rb") as file:
                        table = np.load(file, allow_pickle=False)
                else:
                    read = {".mat": _mat, ".npz": _npz}.get(ending, _h5)
                    arrays = read(path, wanted)
            except ImportError:
                raise
            except Exception as error:  # the readers raise a dozen kinds for a damaged file
                raise InputError(f"{path} is not a readable {path.suffix} file: {_what_is_wrong(path)}") from error
        self._table = table
        self._arrays = arrays
        self._group = ""

    def main(self, variable: str | None, default: str, what: str) -> tuple[str, np.ndarray]:
        """How messages call the array that holds `what`, and the array itself.

        `variable` is the setting, `default` the name where it is left out. Raises InputError when there is none
        of that name, or a name is given for a table, which has none.
        """
        if self._table is not None:
            if variable is not None:
                raise InputError(
                    f"variable must be left out for {self.name}, of shape {self._table.shape}, which is one table "
                    f"without a name, got {variable!r}"
                )
            return self.name, self._table
        name = default if variable is None else variable
        if name not in self._arrays:
            found = ", ".join(f"{known!r} {_shape(array)}" for known, array in sorted(self._arrays.items()))
            raise InputError(
                f"{self.name} must hold the variable {name!r}, found {found or 'none'}: set variable to the name "
                f"of the one that holds the {what}"
            )
        self._group = name[: name.rfind("/") + 1]
        return f"{name!r} in {self.name}", self._arrays[name]

    def get(self, name: str) -> tuple[str, np.ndarray] | None:
        """The same of an array that is stored beside it, of HDF5 in the same group; None where there is none."""
        name = self._group + name
        return (f"{name!r} in {self.name}", self._arrays[name]) if name in self._arrays else None


def described(label: str, array: np.ndarray) -> str:
    """An array's name in messages, with its shape."""
    return f"{label}, of shape {array.shape},"


def numbers(label: str, array: np.ndarray) -> FloatArray:
    """Real numbers; raises InputError, in few words, for anything else."""
    if array.dtype.kind in "OV":
        which = described(label, array) if array.ndim else label
        raise InputError(f"{which} is not a readable array: it holds objects (cells, text), not numbers")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{described(label, array)} must be an array of real numbers, got {array.dtype.name}")
    return real_numbers(label, array)


def _unmasked(source: Any) -> Any:
    """The same; raises InputError for an array with masked entries, whose numbers stand for none."""
    if np.ma.is_masked(source):
        raise InputError("a trace must hold no masked entries: fill them in, or leave out their rows")
    return source


def _table(source: Any) -> np.ndarray:
    if hasattr(source, "to_numpy"):  # a data frame, whose columns may be of several kinds
        return np.asarray(source.to_numpy())
    if isinstance(source, np.ndarray | list | tuple) or hasattr(source, "__array__"):
        _unmasked(source)
        try:
            return np.asarray(source)
        except (ValueError, RuntimeError) as error:  # the last of a tensor that needs its gradient
            raise InputError(f"the array must have rows of one length: {error}") from error
    raise InputError(f"path must be the path of a file, an array or a data frame, got {source!r}")


def _shape(array: np.ndarray) -> str:
    return "(no numbers)" if array.dtype.kind not in "biufc" else str(array.shape)


def _what_is_wrong(path: Path) -> str:
    head = path.read_bytes()[: _MATLAB_BLOCK + len(_HDF5)]
    if not head:
        return "it is empty"
    for signature, ending in _SIGNATURES.items():
        same = {".h5", ".hdf5"} if ending == ".h5" else {ending}
        if head.startswith(signature) and path.suffix.lower() not in same:
            return f"it begins as a {ending} file does, give it that ending"
    return f"its {path.stat().st_size} bytes are damaged, cut off or of another kind; write it anew"


def _npz(path: Path, wanted: Collection[str]) -> Arrays:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: _without_objects(archive, name) for name in archive.files}


def _without_objects(archive: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    try:
        return archive[name]
    except ValueError:  # to read them would execute what is stored
        return np.array(None)


def _mat(path: Path, wanted: Collection[str]) -> Arrays:
    with path.open("rb") as file:
        head = file.read(_MATLAB_BLOCK + len(_HDF5))
    if head[_MATLAB_BLOCK:] == _HDF5 or head.startswith(_HDF5):
        return _hdf5(path, wanted, reverse=True)
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError(f"reading {path} needs SciPy: install the extra 'data'") from error
    return {name: value for name, value in loadmat(path).items() if isinstance(value, np.ndarray)}


def _h5(path: Path, wanted: Collection[str]) -> Arrays:
    with path.open("rb") as file:
        by_matlab = file.read(6) == b"MATLAB"
    return _hdf5(path, wanted, reverse=by_matlab)


def _hdf5(path: Path, wanted: Collection[str], reverse: bool) -> Arrays:
    """MATLAB stores an array with its axes in reverse order, and complex numbers as pairs (real, imag)."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"reading {path}, an HDF5 file, needs h5py: install the extra 'data'") from error
    arrays: Arrays = {}

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or name.startswith("#") or item.shape is None:
            return
        kind = item.dtype
        is_complex = kind.names == ("real", "imag")
        shape = item.shape[::-1] if reverse else item.shape
        if kind.kind not in "biufc" and not is_complex:
            arrays[name] = np.broadcast_to(np.array(None), shape)
        elif name not in wanted and name.rpartition("/")[2] not in wanted:
            arrays[name] = np.broadcast_to(np.zeros((), complex if is_complex else kind), shape)
        else:
            value = item[()]
            value = value["real"] + 1j * value["imag"] if is_complex else value
            arrays[name] = value.T if reverse else value

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return arrays
