"""What is sent to a user and looked at: e-mails, vision boards, and the segments they go to.

Pure functions over what a release knows of a person. What is recommended belongs to `recommenders/`,
how it is served to `serving/`, when it is made to `defs/`.
"""
