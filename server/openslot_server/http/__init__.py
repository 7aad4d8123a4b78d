"""The server's edge: REST, assets, the socket, and the refusals they share."""
