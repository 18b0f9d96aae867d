"""Outgoing HTTP: the one way to a provider. Checked addresses, bounded answers, and failures that say what was sent."""

from mutoscope.outgoing.arrival import Arrival
from mutoscope.outgoing.bodies import Body, Field, File, FilePart, Form, Json, Raw
from mutoscope.outgoing.breaker import CIRCUIT_STATES, BreakerNumbers
from mutoscope.outgoing.destination import Destination, quoted
from mutoscope.outgoing.embedded import Embedded, base64_field
from mutoscope.outgoing.messages import messages
from mutoscope.outgoing.outgoing import Outgoing
from mutoscope.outgoing.patience import STREAMING, Again, Limits
from mutoscope.outgoing.scanner import NotEmbedded
from mutoscope.outgoing.trouble import Answer, Answered, NotAllowed, OutgoingError, Trouble

__all__ = [
    "CIRCUIT_STATES",
    "STREAMING", "Again", "Answer", "Answered", "Arrival", "Body", "BreakerNumbers", "Destination", "Embedded", "Field",
    "File", "FilePart", "Form", "Json", "Limits", "NotAllowed", "NotEmbedded", "Outgoing", "OutgoingError", "Raw",
    "Trouble", "base64_field", "messages", "quoted",
]  # fmt: skip
