"""Which of the encoders that `pubray plan` knows is configured."""

from jobs.common.config import DEFAULT, read_toml
from schemas.config import Config
from schemas.figures import ENCODERS, EncoderFigures

TRAINED = "-trained"
"""What training puts behind the name of an encoder."""


def figures_of(config: Config) -> EncoderFigures | None:
    """Return the figures of the configured encoder, trained or not, by its name; None: they are not known."""
    names = {str(read_toml(DEFAULT.with_name(of.config), "")["encoder"]["name"]): of for of in ENCODERS.values()}
    return names.get(config.encoder.name.partition(TRAINED)[0])
