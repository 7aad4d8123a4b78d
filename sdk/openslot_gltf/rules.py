"""The gate's rules: stable codes, what each means, and the findings that carry them.

A rule's sentence says what is wrong and what to do. `error` refuses the file, `repaired` was mended on reading,
`warning` is kept as it is. The order of the enum is the order in which a file is examined.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["SENTENCES", "Finding", "Report", "Rule", "Severity"]

Severity = Literal["error", "repaired", "warning"]

MOST_FINDINGS = 100
"""More findings than a person reads; the rest is counted."""


class Rule(StrEnum):
    """A stable name for one thing the gate looks at."""

    # not glTF at all
    FILE_SIZE = "file.size"
    FILE_KIND = "file.kind"
    GLB_VERSION = "glb.version"
    GLB_LENGTH = "glb.length"
    GLB_CHUNK = "glb.chunk"
    GLB_ORDER = "glb.order"
    JSON_SIZE = "json.size"
    JSON_ENCODING = "json.encoding"
    JSON_SYNTAX = "json.syntax"
    JSON_NUMBER = "json.number"
    JSON_DUPLICATE_KEY = "json.duplicate_key"
    JSON_KEY = "json.key"
    JSON_DEPTH = "json.depth"
    JSON_ROOT = "json.root"
    ASSET_VERSION = "asset.version"
    # the shape of the JSON
    SHAPE_COUNT = "shape.count"
    SHAPE_TYPE = "shape.type"
    SHAPE_RANGE = "shape.range"
    SHAPE_CHOICE = "shape.choice"
    SHAPE_LENGTH = "shape.length"
    SHAPE_MISSING = "shape.missing"
    SHAPE_INDEX = "shape.index"
    SHAPE_DUPLICATE = "shape.duplicate"
    SHAPE_UNKNOWN = "shape.unknown"
    # extensions
    EXTENSION_LISTS = "extension.lists"
    EXTENSION_UNDECLARED = "extension.undeclared"
    EXTENSION_PLACE = "extension.place"
    EXTENSION_REQUIRED = "extension.required"
    EXTENSION_COMPRESSED = "extension.compressed"
    EXTENSION_DECODED = "extension.decoded"
    COMPRESSED_DAMAGED = "compressed.damaged"
    EXTENSION_UNUSED = "extension.unused"
    EXTENSION_STRIPPED = "extension.stripped"
    CONTENT_STRIPPED = "content.stripped"
    # bytes
    URI_EXTERNAL = "uri.external"
    URI_DATA = "uri.data"
    BUFFER_MISSING = "buffer.missing"
    BUFFER_LENGTH = "buffer.length"
    VIEW_RANGE = "view.range"
    VIEW_STRIDE = "view.stride"
    VIEW_USE = "view.use"
    ACCESSOR_COUNT = "accessor.count"
    ACCESSOR_TOTAL = "accessor.total"
    ACCESSOR_RANGE = "accessor.range"
    ACCESSOR_ALIGNMENT = "accessor.alignment"
    ACCESSOR_STRIDE = "accessor.stride"
    ACCESSOR_NORMALIZED = "accessor.normalized"
    ACCESSOR_BOUNDS = "accessor.bounds"
    SPARSE_RANGE = "sparse.range"
    SPARSE_ORDER = "sparse.order"
    # the node graph
    NODE_PARENT = "node.parent"
    NODE_LOOP = "node.loop"
    NODE_DEPTH = "node.depth"
    NODE_TRANSFORM = "node.transform"
    NODE_SKIN = "node.skin"
    NODE_WEIGHTS = "node.weights"
    SCENE_NON_ROOT_NODE = "scene.non_root_node"
    SCENE_MISSING = "scene.missing"
    SCENE_EMPTY = "scene.empty"
    # images
    IMAGE_SOURCE = "image.source"
    IMAGE_FORMAT = "image.format"
    IMAGE_TYPE = "image.type"
    IMAGE_SIDE = "image.side"
    IMAGE_PIXELS = "image.pixels"
    IMAGE_ANIMATED = "image.animated"
    IMAGE_DAMAGED = "image.damaged"
    IMAGE_PROFILE = "image.profile"
    IMAGE_CONVERTED = "image.converted"
    IMAGE_STRIPPED = "image.stripped"
    TEXTURE_SOURCE = "texture.source"
    # videos
    VIDEO_UNREADABLE = "video.unreadable"
    VIDEO_CODEC = "video.codec"
    VIDEO_STREAMS = "video.streams"
    VIDEO_SHAPE = "video.shape"
    VIDEO_SIDE = "video.side"
    VIDEO_LENGTH = "video.length"
    VIDEO_RATE = "video.rate"
    VIDEO_DAMAGED = "video.damaged"
    VIDEO_STRIPPED = "video.stripped"
    MATERIAL_GLARE = "material.glare"
    # geometry
    MESH_ATTRIBUTE = "mesh.attribute"
    MESH_COUNT = "mesh.count"
    MESH_INDICES = "mesh.indices"
    MESH_TARGETS = "mesh.targets"
    MESH_TEXCOORD = "mesh.texcoord"
    SKIN_JOINTS = "skin.joints"
    SKIN_MATRICES = "skin.matrices"
    ANIMATION_CHANNEL = "animation.channel"
    ANIMATION_TIMES = "animation.times"
    ANIMATION_VALUES = "animation.values"
    DATA_FINITE = "data.finite"
    DATA_UNIT = "data.unit"
    DATA_RANGE = "data.range"
    DATA_JOINTS = "data.joints"
    DATA_UNUSED = "data.unused"
    # budgets
    BUDGET_TRIANGLES = "budget.triangles"
    BUDGET_TRIANGLES_ADVISED = "budget.triangles_advised"
    BUDGET_VERTICES = "budget.vertices"
    BUDGET_DRAWS = "budget.draws"
    BUDGET_DRAWS_ADVISED = "budget.draws_advised"
    BUDGET_EXTENT = "budget.extent"
    BUDGET_POSES = "budget.poses"
    BUDGET_EMPTY = "budget.empty"
    BUDGET_ANIMATION_ESCAPES = "budget.animation_escapes"
    UNITS_CENTIMETRES = "units.centimetres"
    FACING_EDGE = "facing.edge"
    FACING_AWAY = "facing.away"
    ORIGIN_FAR = "origin.far"
    # the slot it is for
    TERMS_MEDIA = "terms.media"
    TERMS_TIER = "terms.tier"
    TERMS_ANIMATION = "terms.animation"
    TERMS_FIT = "terms.fit"


SENTENCES: dict[Rule, str] = {
    Rule.FILE_SIZE: "The file is larger than its tier allows; `openslot creative optimise` makes it smaller.",
    Rule.FILE_KIND: "The bytes are no GLB, glTF, PNG, JPEG, WebP, MP4 or WebM; export as one of them.",
    Rule.GLB_VERSION: "The GLB container is not version 2; export as glTF 2.0.",
    Rule.GLB_LENGTH: "The GLB header's length is not the file's; the file was cut or glued, export it again.",
    Rule.GLB_CHUNK: "A GLB chunk does not fit the file or is not padded to 4 bytes; export it again.",
    Rule.GLB_ORDER: "A GLB holds one JSON chunk first and at most one BIN chunk after it; export it again.",
    Rule.JSON_SIZE: "The JSON is larger than allowed; remove extras, unused nodes and unused accessors.",
    Rule.JSON_ENCODING: "The JSON is not UTF-8, or starts with a byte order mark; save it as plain UTF-8.",
    Rule.JSON_SYNTAX: "The JSON does not parse; export the file again.",
    Rule.JSON_NUMBER: "NaN, Infinity or a number beyond double precision stands in the JSON; mend the exporter.",
    Rule.JSON_DUPLICATE_KEY: "An object has the same key twice, which readers resolve differently; keep one.",
    Rule.JSON_KEY: "A key `__proto__` changes what objects are in JavaScript; rename or remove it.",
    Rule.JSON_DEPTH: "The JSON is nested deeper than allowed; flatten extras.",
    Rule.JSON_ROOT: "The JSON is not an object; a glTF file starts with one.",
    Rule.ASSET_VERSION: "`asset.version` is not 2.0, or `asset.minVersion` asks for more; export as glTF 2.0.",
    Rule.SHAPE_COUNT: "The array has more items than allowed; merge or remove some.",
    Rule.SHAPE_TYPE: "The value has another type than glTF 2.0 says; mend the exporter.",
    Rule.SHAPE_RANGE: "The number lies outside what glTF 2.0 allows here; mend it.",
    Rule.SHAPE_CHOICE: "The value is not one of those glTF 2.0 lists; use one of them.",
    Rule.SHAPE_LENGTH: "The array has a length glTF 2.0 does not allow here; mend it.",
    Rule.SHAPE_MISSING: "A required property is missing; add it.",
    Rule.SHAPE_INDEX: "The index points to nothing; remove it or add what it names.",
    Rule.SHAPE_DUPLICATE: "The array holds the same item twice; keep one.",
    Rule.SHAPE_UNKNOWN: "glTF 2.0 does not know this property; it is carried along unread.",
    Rule.EXTENSION_LISTS: "`extensionsRequired` and `extensionsUsed` do not agree; what is required is also used.",
    Rule.EXTENSION_UNDECLARED: "An extension is used but not named in `extensionsUsed`; name it there.",
    Rule.EXTENSION_PLACE: "The extension may not stand on this object; move or remove it.",
    Rule.EXTENSION_REQUIRED: "The file requires an extension that is not read here; export without it.",
    Rule.EXTENSION_COMPRESSED: "Geometry or textures are compressed in a way not read here; export uncompressed, "
    "or run `gltf-transform copy` (meshopt, Draco) or `gltf-transform png` (KTX2).",
    Rule.EXTENSION_DECODED: "Compressed geometry or textures were decoded; the plain file counts and is served.",
    Rule.COMPRESSED_DAMAGED: "Compressed data does not decode to what the file says of it; export uncompressed.",
    Rule.EXTENSION_UNUSED: "A required extension is used nowhere; it was taken off `extensionsRequired`.",
    Rule.EXTENSION_STRIPPED: "An optional extension is not known here; it is not served nor embedded.",
    Rule.CONTENT_STRIPPED: "A creative's lights, cameras and sounds are neither served nor embedded; bake light in.",
    Rule.URI_EXTERNAL: "A file names another file or address; pack everything into one GLB.",
    Rule.URI_DATA: "The data: URI is not valid base64 of an allowed media type; pack everything into one GLB.",
    Rule.BUFFER_MISSING: "A buffer has no bytes; pack everything into one GLB.",
    Rule.BUFFER_LENGTH: "A buffer's byteLength is not the length of its bytes; export the file again.",
    Rule.VIEW_RANGE: "A buffer view reaches beyond its buffer; export the file again.",
    Rule.VIEW_STRIDE: "A buffer view's byteStride is not a multiple of 4 or stands where none may; export it again.",
    Rule.VIEW_USE: "One buffer view serves two purposes that exclude each other; export the file again.",
    Rule.ACCESSOR_COUNT: "An accessor has more elements than allowed; simplify the mesh or the animation.",
    Rule.ACCESSOR_TOTAL: "All accessors together decode to more bytes than allowed; simplify the mesh.",
    Rule.ACCESSOR_RANGE: "An accessor reaches beyond its buffer view; export the file again.",
    Rule.ACCESSOR_ALIGNMENT: "An accessor's offset is not a multiple of its component's size; export the file again.",
    Rule.ACCESSOR_STRIDE: "The buffer view's byteStride is smaller than one element; export the file again.",
    Rule.ACCESSOR_NORMALIZED: "Only 8- and 16-bit integers may be normalized; remove `normalized`.",
    Rule.ACCESSOR_BOUNDS: "An accessor's min and max are missing or wrong; they were computed from the data.",
    Rule.SPARSE_RANGE: "A sparse accessor reaches beyond its data or its base; export the file again.",
    Rule.SPARSE_ORDER: "A sparse accessor's indices do not increase; export the file again.",
    Rule.NODE_PARENT: "A node has two parents, or is its own; each node hangs in one place.",
    Rule.NODE_LOOP: "The node graph has a loop; a scene is a tree.",
    Rule.NODE_DEPTH: "The node tree is deeper than allowed; flatten it.",
    Rule.NODE_TRANSFORM: "A node's transform is not a translation, unit rotation and scale; apply it in the editor.",
    Rule.NODE_SKIN: "A node's skin and mesh do not fit each other or stand in another scene; export it again.",
    Rule.NODE_WEIGHTS: "The number of weights is not the number of morph targets; export the file again.",
    Rule.SCENE_NON_ROOT_NODE: "A scene lists a node that has a parent; the scene was made to list its root instead.",
    Rule.SCENE_MISSING: "The file has no scene; one was made of all root nodes.",
    Rule.SCENE_EMPTY: "The default scene has no node; put something into it.",
    Rule.IMAGE_SOURCE: "An image needs a buffer view and its mimeType, or a data: URI; pack it into the GLB.",
    Rule.IMAGE_FORMAT: "The image is not PNG, JPEG or WebP, or its header is damaged; save it again as PNG.",
    Rule.IMAGE_TYPE: "The image's bytes are not what its mimeType says, or need an extension; correct it.",
    Rule.IMAGE_SIDE: "A side of the image is longer than allowed; `openslot creative optimise` resizes it.",
    Rule.IMAGE_PIXELS: "All images together have more pixels than allowed; resize them.",
    Rule.IMAGE_ANIMATED: "The image moves; send a still one, or a video.",
    Rule.IMAGE_DAMAGED: "The image does not decode; save it again as PNG.",
    Rule.IMAGE_PROFILE: "The image's colour profile does not read and was left out; its colours are taken as sRGB.",
    Rule.IMAGE_CONVERTED: "The image was turned upright and brought to 8-bit sRGB; check its colours.",
    Rule.IMAGE_STRIPPED: "What stood beside the picture (place, camera, comments, profile) was left out; all is well.",
    Rule.TEXTURE_SOURCE: "The texture has no image this reader knows; give it a PNG, JPEG or WebP source.",
    Rule.VIDEO_UNREADABLE: "Videos cannot be read here; the server's operator runs `pip install 'openslot[video]'`.",
    Rule.VIDEO_CODEC: "The video is not MP4 with H.264 (and AAC), nor WebM with VP8, VP9 or AV1 (and Opus or Vorbis), "
    "8 bits in 4:2:0; export it as one of them.",
    Rule.VIDEO_STREAMS: "A video holds one stream of pictures and at most one of sound; export it with these alone.",
    Rule.VIDEO_SHAPE: "The video is turned by a flag, or its pixels are not square; export it as it is to be seen.",
    Rule.VIDEO_SIDE: "A side of the video is longer than allowed; export it smaller.",
    Rule.VIDEO_LENGTH: "The video is longer than allowed, or has no length; cut it.",
    Rule.VIDEO_RATE: "The video has more than 60 frames a second; export it slower.",
    Rule.VIDEO_DAMAGED: "The video does not decode; export it again.",
    Rule.VIDEO_STRIPPED: "What stood beside the video (titles, places, attachments) was overwritten; all is well.",
    Rule.MATERIAL_GLARE: "A material shines stronger than a viewer's eyes are asked to bear; it was dimmed.",
    Rule.MESH_ATTRIBUTE: "A vertex attribute has a name or a format glTF 2.0 does not allow; export the file again.",
    Rule.MESH_COUNT: "The attributes of one primitive differ in length; export the file again.",
    Rule.MESH_INDICES: "The indices have a wrong format or point beyond the vertices; export the file again.",
    Rule.MESH_TARGETS: "Morph targets do not fit their primitive or differ in number; export the file again.",
    Rule.MESH_TEXCOORD: "A texture asks for texture coordinates its mesh does not have; unwrap the mesh.",
    Rule.SKIN_JOINTS: "A skin's joints have no common root, or its skeleton is not one; export the file again.",
    Rule.SKIN_MATRICES: "Inverse bind matrices have a wrong format, number or last row; export the file again.",
    Rule.ANIMATION_CHANNEL: "An animation channel's target or sampler does not fit; export the file again.",
    Rule.ANIMATION_TIMES: "Key times are not increasing, non-negative floats; export the file again.",
    Rule.ANIMATION_VALUES: "Key values have a wrong format or number for their path; export the file again.",
    Rule.DATA_FINITE: "Vertex or animation data holds NaN or infinity; mend the mesh.",
    Rule.DATA_UNIT: "Normals, tangents or rotations are not of unit length; recompute them.",
    Rule.DATA_RANGE: "Vertex data lies outside its range (colours 0..1, coordinates within the limit); mend it.",
    Rule.DATA_JOINTS: "Joints or weights of a vertex are out of range, doubled or do not add up to 1; normalise them.",
    Rule.DATA_UNUSED: "Nothing refers to some of the data; it is not served: export without it.",
    Rule.BUDGET_TRIANGLES: "The file draws more triangles than its tier allows, instances counted; simplify it.",
    Rule.BUDGET_TRIANGLES_ADVISED: "The file draws more triangles than advised; simplify it for weak devices.",
    Rule.BUDGET_VERTICES: "The file draws more vertices than its tier allows, instances and morphs counted; weld it.",
    Rule.BUDGET_DRAWS: "The file needs more draw calls than its tier allows; join meshes and materials.",
    Rule.BUDGET_DRAWS_ADVISED: "The file needs more draw calls than advised; join meshes and materials.",
    Rule.BUDGET_EXTENT: "The content is larger or farther from the origin than allowed; apply its scale.",
    Rule.BUDGET_POSES: "The clips have more keys, nodes and joints together than allowed; reduce keys or bones.",
    Rule.BUDGET_EMPTY: "The default scene draws no triangle; there is nothing to show.",
    Rule.BUDGET_ANIMATION_ESCAPES: "An animation leaves the content's own place by far; keep it near its rest pose.",
    Rule.UNITS_CENTIMETRES: "The content looks authored in centimetres; it is fitted by size, but apply its scale.",
    Rule.FACING_EDGE: "The content is flat and seen on its edge; turn it so that its front faces +Z.",
    Rule.FACING_AWAY: "The content shows its back, of which nothing is drawn; turn it so that its front faces +Z.",
    Rule.ORIGIN_FAR: "The content stands far from its own origin; it is fitted by its box, but move it there.",
    Rule.TERMS_MEDIA: "The slot does not take this kind of file; convert it or choose another slot.",
    Rule.TERMS_TIER: "The file needs a larger tier than the slot takes; simplify it or choose another slot.",
    Rule.TERMS_ANIMATION: "The slot takes nothing that moves; remove the animations or choose another slot.",
    Rule.TERMS_FIT: "The content does not fit into the slot by the slot's own rule; change its size or choose another.",
}

REPAIRED = frozenset(
    {
        Rule.ACCESSOR_BOUNDS,
        Rule.DATA_UNUSED,
        Rule.MATERIAL_GLARE,
        Rule.SCENE_NON_ROOT_NODE,
        Rule.SCENE_MISSING,
        Rule.EXTENSION_DECODED,
        Rule.EXTENSION_UNUSED,
        Rule.EXTENSION_STRIPPED,
        Rule.CONTENT_STRIPPED,
        Rule.IMAGE_PROFILE,
        Rule.IMAGE_CONVERTED,
        Rule.IMAGE_STRIPPED,
        Rule.VIDEO_STRIPPED,
    }
)
WARNED = frozenset(
    {Rule.SHAPE_UNKNOWN, Rule.BUDGET_TRIANGLES_ADVISED, Rule.BUDGET_DRAWS_ADVISED, Rule.UNITS_CENTIMETRES}
    | {Rule.FACING_EDGE, Rule.FACING_AWAY, Rule.ORIGIN_FAR}
)
NOT_READ = frozenset(list(Rule)[: list(Rule).index(Rule.SHAPE_COUNT)]) - {
    Rule.FILE_SIZE,
    Rule.JSON_SIZE,
    Rule.JSON_DEPTH,
    Rule.JSON_KEY,
}
"""What is not glTF 2.0 at all; a file that is only too large is refused as any other."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the gate found: the rule, how grave it is, where (JSON pointer), and what to do."""

    code: Rule
    severity: Severity
    pointer: str
    message: str

    def error(self) -> OpenSlotError:
        """Return the refusal that carries this finding."""
        code = Code.GLTF_NOT_READ if self.code in NOT_READ else Code.GLTF_REFUSED
        return OpenSlotError(code, f"{self.code}: {self.message}", where=self.pointer)


@dataclass(slots=True)
class Report:
    """Collects findings; `tolerated` rules warn instead of refusing."""

    tolerated: frozenset[Rule] = frozenset()
    findings: list[Finding] = field(default_factory=list)
    refused: bool = False

    def add(self, rule: Rule, pointer: str = "", case: str = "") -> None:
        """Record one finding; `case` says what holds here, the registry says what to do."""
        severity = self._severity(rule)
        self.refused = self.refused or severity == "error"
        if len(self.findings) < MOST_FINDINGS or (severity == "error" and not self._has_error()):
            message = f"{case}. {SENTENCES[rule]}" if case else SENTENCES[rule]
            self.findings.append(Finding(rule, severity, pointer, message))

    def _severity(self, rule: Rule) -> Severity:
        if rule in REPAIRED:
            return "repaired"
        return "warning" if rule in WARNED or rule in self.tolerated else "error"

    def _has_error(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)
