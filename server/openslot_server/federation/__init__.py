"""Servers share slots without trusting each other: what each says is signed, carried as it is, checked as a whole."""
