"""What README and docs/ tell people to type, read out of them: to be checked (`checks`) and to be run (`running`).

`python -m scripts.documents` runs it from a bare clone, `--check` only looks whether everything that is named is there.

A fenced block says in its first line what it is: `sh` is typed, `text` is a picture or an output. `sh needs=az,bicep`
is left out where one of these programs is missing, `sh long` without `--long`. A command with a `<placeholder>` or an
ellipsis in it is for the reader to complete, and is not run.
"""
