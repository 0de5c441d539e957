"""Figures and tables: each module here declares one (`morered.figures.declaration`); its name is the name of the target.

A folder holds the declaration in ``__init__.py`` and the drawing, which imports what the workflow must not wait for, in
``drawing.py``; a small figure may be one file that imports in its ``draw``.
"""
