"""Looking back: the page that stands still, calipers, events, user marks."""
