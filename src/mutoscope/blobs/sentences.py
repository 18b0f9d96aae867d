"""What a bucket's server said, as a sentence that tells the operator what to do."""

import re

SENTENCES = {
    "NoSuchBucket": "There is no bucket of that name: make it, or mend AWS_S3_BUCKET.",
    "InvalidAccessKeyId": "The bucket's server does not know this key: mend AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "The key's secret half is wrong: mend AWS_SECRET_ACCESS_KEY.",
    "InvalidToken": "The session token is wrong: mend AWS_SESSION_TOKEN.",
    "ExpiredToken": "The session token has run out: get a new AWS_SESSION_TOKEN.",
    "RequestTimeTooSkewed": "This machine's clock is wrong by minutes: set it, and let it be kept right.",
    "PermanentRedirect": "The bucket is in another region: mend AWS_REGION.",
    "AuthorizationHeaderMalformed": "The bucket is in another region: mend AWS_REGION.",
    "IllegalLocationConstraintException": "The bucket is in another region: mend AWS_REGION.",
    "QuotaExceeded": "The bucket is full: raise its quota.",
    "SlowDown": "The bucket's server is too busy just now: try again later.",
}
"""What to do for the words in which S3 refuses (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)."""

_CODES = re.compile(r"<Code>(\w+)</Code>")


def sentence(said: str, what: str) -> str:
    """What to do, without any of the server's own words but its code: those may repeat a key."""
    code = next(iter(_CODES.findall(said)), "")
    if code in SENTENCES:
        return SENTENCES[code]
    if code == "AccessDenied" or "403 Forbidden" in said:
        return f"The key may not {what} in the bucket: give it the permission (put, get, list and delete objects)."
    if code:
        return f"The bucket refused to {what}: {code}."
    if "connect" in said or "dns" in said.casefold() or "timed out" in said or "timeout" in said:
        return "The bucket's server does not answer: look at AWS_ENDPOINT_URL, AWS_REGION and the network."
    return f"The bucket did not {what}: its server answered with an error, or not at all."
