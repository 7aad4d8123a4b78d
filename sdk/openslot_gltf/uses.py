"""What accessors and buffer views serve as: glTF lets each have one purpose (3.6.2.3, and the Khronos validator)."""

from __future__ import annotations

from openslot_gltf.accessors import element_bytes
from openslot_gltf.document import Document, Json
from openslot_gltf.rules import Report, Rule

__all__ = ["Uses"]

VIEW_TARGETS = {"vertices": 34962, "indices": 34963}


class Uses:
    """What every accessor and buffer view is used for; two uses that exclude each other are reported."""

    def __init__(self, document: Document, report: Report) -> None:
        self._accessors = document.array("accessors")
        self._views = document.array("bufferViews")
        self._report = report
        self._accessor_use: dict[int, str] = {}
        self._view_use: dict[int, str] = {}
        self._view_readers: dict[int, set[int]] = {}

    def accessor(self, index: int, use: str, where: str) -> Json:
        """Note that the accessor serves as `use`, and return it."""
        accessor = self._accessors[index]
        if self._accessor_use.setdefault(index, use) != use:
            self._report.add(Rule.VIEW_USE, where, f"accessor {index} is {self._accessor_use[index]} and {use}")
        elif "bufferView" in accessor:
            self.view(accessor["bufferView"], use, where)
            self._view_readers.setdefault(accessor["bufferView"], set()).add(index)
        return accessor

    def view(self, index: int, use: str, where: str) -> None:
        """Note that the buffer view serves as `use`; only vertices may be strided."""
        group = "animation" if use.startswith("key") else use
        view = self._views[index]
        if self._view_use.setdefault(index, group) != group:
            self._report.add(Rule.VIEW_USE, where, f"buffer view {index} is {self._view_use[index]} and {group}")
        if group != "vertices" and "byteStride" in view:
            self._report.add(Rule.VIEW_STRIDE, f"/bufferViews/{index}/byteStride", f"it holds {group}")
        if "target" in view and view["target"] != VIEW_TARGETS.get(group):
            self._report.add(Rule.VIEW_USE, f"/bufferViews/{index}/target", f"it holds {group}")

    def check_sharing(self) -> None:
        """Report vertex views that several accessors share without saying the stride."""
        for index, readers in self._view_readers.items():
            if len(readers) > 1 and self._view_use[index] == "vertices" and "byteStride" not in self._views[index]:
                self._report.add(Rule.VIEW_STRIDE, f"/bufferViews/{index}", f"{len(readers)} accessors share it")

    def check_vertex_alignment(self, index: int, where: str) -> None:
        """Report vertex data whose elements do not start at multiples of four bytes."""
        accessor = self._accessors[index]
        if "bufferView" not in accessor:
            return
        view = self._views[accessor["bufferView"]]
        stride = view.get("byteStride", element_bytes(accessor["type"], accessor["componentType"]))
        if (view.get("byteOffset", 0) + accessor.get("byteOffset", 0)) % 4 or stride % 4:
            self._report.add(Rule.ACCESSOR_ALIGNMENT, where, "vertex data starts at multiples of 4 bytes")
