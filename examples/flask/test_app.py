"""Runs against the server that GATEPOST_ORIGIN names; one with short-lived tokens is GATEPOST_SHORT_ORIGIN."""

import base64
import importlib
import json
import os
import time
import unittest
import urllib.request
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt as jose_jwt
from joserfc.jwk import KeySet

ORIGIN = os.environ["GATEPOST_ORIGIN"]
SHORT_ORIGIN = os.environ["GATEPOST_SHORT_ORIGIN"]
BASE = "/api/auth"


def call(url, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as answer:
        return json.load(answer), answer.headers


def token_of_new_user(origin):
    user = {"email": f"flask-{uuid.uuid4()}@example.com", "password": "a good long password", "name": "Flask"}
    _, headers = call(f"{origin}{BASE}/sign-up/email", user, {"Origin": origin})
    cookies = "; ".join(cookie.split(";")[0] for cookie in headers.get_all("Set-Cookie"))
    return call(f"{origin}{BASE}/token", headers={"Cookie": cookies})[0]["token"], user


def app_for(**settings):
    os.environ.update(settings)
    import app

    return importlib.reload(app).app.test_client()


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def forged(token, kid=None, **changes):
    """The same claims signed by somebody else, under the same key id or another."""
    headers = {"kid": kid or jwt.get_unverified_header(token)["kid"]}
    return jwt.encode({**claims(token), **changes}, Ed25519PrivateKey.generate(), "EdDSA", headers)


def unsigned(token):
    encode = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    return f"{encode({'alg': 'none', 'typ': 'JWT'})}.{encode(claims(token))}."


class Tokens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.token, cls.user = token_of_new_user(ORIGIN)

    def setUp(self):
        self.client = app_for(GATEPOST_ORIGIN=ORIGIN, GATEPOST_JWKS_URL=f"{ORIGIN}{BASE}/.well-known/jwks.json")

    def status(self, token):
        return self.client.get("/me", headers={"Authorization": f"Bearer {token}"}).status_code

    def test_good(self):
        answer = self.client.get("/me", headers={"Authorization": f"Bearer {self.token}"})
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertEqual(answer.json["email"], self.user["email"])
        self.assertEqual(answer.json["role"], "authenticated")

    def test_good_by_the_other_address_of_the_keys(self):
        self.client = app_for(GATEPOST_JWKS_URL=f"{ORIGIN}{BASE}/jwks")
        self.assertEqual(self.status(self.token), 200)

    def test_expired(self):
        token, _ = token_of_new_user(SHORT_ORIGIN)
        self.client = app_for(
            GATEPOST_ORIGIN=SHORT_ORIGIN, GATEPOST_JWKS_URL=f"{SHORT_ORIGIN}{BASE}/.well-known/jwks.json"
        )
        # The token's own end, not a guess at how long the test takes.
        time.sleep(max(0, claims(token)["exp"] + 1 - time.time()))
        answer = self.client.get("/me", headers={"Authorization": f"Bearer {token}"})
        self.assertEqual(answer.status_code, 401)
        self.assertIn("expired", answer.json["error"].lower())

    def test_wrong_audience(self):
        self.client = app_for(GATEPOST_ORIGIN="http://localhost:1", GATEPOST_JWKS_URL=f"{ORIGIN}{BASE}/jwks")
        self.assertEqual(self.status(self.token), 401)

    def test_unknown_key(self):
        self.assertEqual(self.status(forged(self.token, kid=str(uuid.uuid4()))), 401)

    def test_forged_under_a_known_key(self):
        self.assertEqual(self.status(forged(self.token)), 401)

    def test_altered(self):
        head, _, signature = self.token.split(".")
        body = unsigned(self.token).split(".")[1]
        self.assertEqual(self.status(f"{head}.{body}x.{signature}"), 401)

    def test_unsigned(self):
        self.assertEqual(self.status(unsigned(self.token)), 401)

    def test_none(self):
        self.assertEqual(self.client.get("/me").status_code, 401)
        for header in ["", "Bearer", "Bearer ", "Basic abc", "Bearer not.a.token", "Bearer \x7f"]:
            answer = self.client.get("/me", headers={"Authorization": header})
            self.assertEqual(answer.status_code, 401, header)

    def test_keys_that_cannot_be_fetched(self):
        self.client = app_for(GATEPOST_JWKS_URL="http://127.0.0.1:9/jwks")
        self.assertEqual(self.status(self.token), 503)


class Discovery(unittest.TestCase):
    """The path of the Go and Java libraries: issuer, discovery document, keys, signature."""

    def test_issuer_to_verified_token(self):
        token, user = token_of_new_user(ORIGIN)
        issuer = claims(token)["iss"]
        document, _ = call(f"{issuer}/.well-known/openid-configuration")
        # go-oidc and its kin refuse a document that names another issuer.
        self.assertEqual(document["issuer"], issuer)
        keys, _ = call(document["jwks_uri"])
        decoded = jose_jwt.decode(token, KeySet.import_key_set(keys), algorithms=["EdDSA", "Ed25519"])
        rules = jose_jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer}, aud={"essential": True, "value": issuer}, exp={"essential": True}
        )
        rules.validate(decoded.claims)
        self.assertEqual(decoded.claims["email"], user["email"])


if __name__ == "__main__":
    unittest.main()
