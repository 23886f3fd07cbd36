"""The demo community: invented people in a hub of their own, made by the same actions that members use."""
