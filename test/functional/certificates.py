"""Certificate authorities that a test makes up: a company's, a rogue's, and our own with its key known."""
import datetime
import ipaddress
import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from support import REPO

# The name that an agent verifies its control plane by. Where the product has a constant for it, that one.
_constant = re.search(r'kControlName\s*=\s*"([^"]+)"', (REPO / "src/base/include/base/product.h").read_text())
CONTROL_NAME = _constant[1] if _constant else "localhost"


@dataclass
class Made:
    chain: str
    key: str


def _pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    def __init__(self, name):
        self.key, self.name = ec.generate_private_key(ec.SECP256R1()), _name(name)
        self.certificate = (self._builder(self.name, self.key.public_key())
                            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
                            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
                            .sign(self.key, hashes.SHA256()))
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _builder(self, subject, public_key, days=(-1, 30)):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days[0]))
                .not_valid_after(now + datetime.timedelta(days[1])))

    def server(self, *names, usage=ExtendedKeyUsageOID.SERVER_AUTH, days=(-1, 30)):
        """A certificate for these names, with its chain, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.IPAddress(ipaddress.ip_address(n)) if re.fullmatch(r"[0-9.]+", n) else x509.DNSName(n) for n in names]
        made = (self._builder(_name(names[0]), key.public_key(), days)
                .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
                .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
                .sign(self.key, hashes.SHA256()))
        return Made(made.public_bytes(serialization.Encoding.PEM).decode() + self.pem, _pem(key))
