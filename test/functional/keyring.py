"""An implementation of DATA/keys/keyring that shares nothing with src/secrets: for the tests that must know the keys.
Format: doc/secrets.md; XAES-256-GCM: c2sp.org/XAES-256-GCM."""
import base64
import ctypes
import ctypes.util
import json
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def xaes_open(key, sealed, associated):
    def aes(block):
        encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        return encryptor.update(block) + encryptor.finalize()
    nonce, text = sealed[:24], sealed[24:]
    subkey = int.from_bytes(aes(bytes(16)), "big") << 1
    if subkey >> 128:
        subkey = (subkey & (2**128 - 1)) ^ 0x87
    derived = b"".join(aes((int.from_bytes(bytes([0, n, 0x58, 0]) + nonce[:12], "big") ^ subkey).to_bytes(16, "big")) for n in (1, 2))
    return AESGCM(derived).decrypt(nonce[12:], text, associated)


def hkdf(secret, salt, info):
    return HKDF(SHA256(), 32, salt, info).derive(secret)


def pack(*parts):
    """What src/secrets/frame.h writes: text and bytes with their length, numbers of four bytes."""
    return b"".join(struct.pack(">I", p) if isinstance(p, int) else struct.pack(">I", len(p)) + (p.encode() if isinstance(p, str) else p) for p in parts)


def decapsulate(private, ciphertext):
    crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
    for name in ("EVP_PKEY_new_raw_private_key_ex", "EVP_PKEY_CTX_new_from_pkey"):
        getattr(crypto, name).restype = ctypes.c_void_p
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    key = crypto.EVP_PKEY_new_raw_private_key_ex(None, b"X25519MLKEM768", None, private, size(len(private)))
    assert key
    context = crypto.EVP_PKEY_CTX_new_from_pkey(None, pointer(key), None)
    assert crypto.EVP_PKEY_decapsulate_init(pointer(context), None) == 1
    length = size(64)
    out = ctypes.create_string_buffer(64)
    assert crypto.EVP_PKEY_decapsulate(pointer(context), out, ctypes.byref(length), ciphertext, size(len(ciphertext))) == 1
    return out.raw[:length.value]


def open_keyring(folder):
    """{name: key bytes} of everything below the key file, and the seal's own private key."""
    ring = json.loads((folder / "keyring").read_text())
    seal = next(s for s in ring["seals"] if s["kind"] == "key-file")
    part = {k: base64.b64decode(seal[k]) for k in ("salt", "public_key", "private_wrapped", "ciphertext", "root_wrapped")}

    def context(what, generation):
        return pack("caip seal v1", what, seal["id"], seal["kind"], part["public_key"], generation)
    own = hkdf((folder / "root.key").read_bytes(), part["salt"], b"caip seal v1 material")
    private = xaes_open(own, part["private_wrapped"], context("private", 0))
    shared = hkdf(decapsulate(private, part["ciphertext"]), part["salt"], pack("caip seal v1 root", part["ciphertext"], part["public_key"]))
    root = xaes_open(shared, part["root_wrapped"], context("root", ring["generation"]))
    keys = {"seal": private, "root": root}
    for k in ring["keys"]:
        name = f"{k['key']} {k['scope']} {k['generation']}"
        keys[name] = xaes_open(root, base64.b64decode(k["wrapped"]), pack("caip key v1", k["key"], k["scope"], k["generation"]))
    return keys
