"""From six answers, and what is known of an API, to a project that runs."""

from syncline.generate.project.answers import Answers, answers_in, checked
from syncline.generate.project.compose import Draft, chosen_entities, compose, needs
from syncline.generate.project.files import project_files, variables, write_files
from syncline.generate.project.learning import Learned, learn, surroundings
from syncline.generate.project.samples import samples

__all__ = [
    "Answers",
    "Draft",
    "Learned",
    "answers_in",
    "checked",
    "chosen_entities",
    "compose",
    "learn",
    "needs",
    "project_files",
    "samples",
    "surroundings",
    "variables",
    "write_files",
]
