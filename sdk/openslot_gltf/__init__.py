"""glTF as a document: strict reading, slots, occluders, fitting and embedding creatives."""
