"""What does Hopp do when a gateway lies? Made-up mail, told as a story over real HTTP."""
