"""What people and programs may ask of the server over HTTP: one desk for each kind of thing, roles checked."""
