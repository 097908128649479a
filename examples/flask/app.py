"""A Flask API that lets in whoever carries a valid Gatepost token."""

import os
from functools import wraps

import jwt
from flask import Flask, g, jsonify, request

GATEPOST = os.environ.get("GATEPOST_ORIGIN", "http://localhost:4000")
JWKS_URL = os.environ.get("GATEPOST_JWKS_URL", f"{GATEPOST}/api/auth/.well-known/jwks.json")

app = Flask(__name__)
# Keys are fetched once and again when a token names a key that is not known yet.
keys = jwt.PyJWKClient(JWKS_URL, timeout=5)


def require_user(view):
    @wraps(view)
    def guarded(*args, **kwargs):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return jsonify(error="no token"), 401
        try:
            key = keys.get_signing_key_from_jwt(token)
            g.user = jwt.decode(
                token,
                key,
                # Never read the list of algorithms from the token itself.
                algorithms=["EdDSA", "ES256", "RS256"],
                issuer=GATEPOST,
                audience=GATEPOST,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except jwt.PyJWKClientConnectionError:
            return jsonify(error="keys cannot be fetched"), 503
        except jwt.PyJWTError as error:
            return jsonify(error=str(error)), 401
        return view(*args, **kwargs)

    return guarded


@app.get("/me")
@require_user
def me():
    return jsonify(id=g.user["sub"], email=g.user["email"], role=g.user["role"])


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
