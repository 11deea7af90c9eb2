"""The central station: a page in a browser that shows every bed, and changes none."""
