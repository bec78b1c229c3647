"""E-mails made for one user, to look at or to send elsewhere, and the way to want no more of them."""
