"""Work that is done after the answer, on whichever node has a hand free."""
