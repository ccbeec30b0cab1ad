//! Private keys: made from the generator of the render, written and read as PEM, and used to sign.

use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha2_next::{Digest as _, Sha256};

use gotmpl::{Random, Session};

use crate::der::{self, OCTET_STRING};
use crate::encodings::base64_decoded;

/// A private key.
pub(super) enum Key {
    Rsa(Box<RsaPrivateKey>),
    Ecdsa(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

/// Object identifiers, with their tag.
const RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const SHA256_WITH_RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const EC: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const ECDSA_WITH_SHA256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ED25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];
const NULL: &[u8] = &[5, 0];

/// The generator of a render, as libraries want one.
struct Source<'a>(&'a mut Random);

impl rand_core::TryRng for Source<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.number() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.number())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Source<'_> {}

impl Key {
    /// A new RSA key. Primes are searched for, which takes long; the limits of the render allow
    /// some.
    pub(super) fn new_rsa(session: &mut Session, n_bits: usize) -> Result<Self, String> {
        const STEPS_PER_BIT: u64 = 2_000;
        session.take_steps(n_bits as u64 * STEPS_PER_BIT)?;
        let key = RsaPrivateKey::new(&mut Source(session.random()), n_bits);
        key.map(|key| Key::Rsa(Box::new(key)))
            .map_err(|error| error.to_string())
    }

    pub(super) fn new_ecdsa(session: &mut Session) -> Self {
        loop {
            let mut secret = [0; 32];
            session.random().fill(&mut secret);
            // A number beyond the order of the curve is as good as never drawn.
            if let Ok(key) = p256::ecdsa::SigningKey::from_slice(&secret) {
                return Key::Ecdsa(key);
            }
        }
    }

    pub(super) fn new_ed25519(session: &mut Session) -> Self {
        let mut secret = [0; 32];
        session.random().fill(&mut secret);
        Key::Ed25519(ed25519_dalek::SigningKey::from_bytes(&secret))
    }

    /// As PEM: each type has its own form, as in Sprig.
    pub(super) fn pem(&self) -> Result<String, String> {
        match self {
            Key::Rsa(key) => {
                let der = key.to_pkcs1_der().map_err(|error| error.to_string())?;
                Ok(pem("RSA PRIVATE KEY", der.as_bytes()))
            }
            Key::Ecdsa(key) => {
                let version = der::integer(&[1]);
                let secret = der::value(OCTET_STRING, &key.to_bytes());
                let curve = der::value(0xa0, P256);
                let point = der::value(0xa1, &der::bits(&point(key)));
                let der = der::sequence(&[&version, &secret, &curve, &point]);
                Ok(pem("EC PRIVATE KEY", &der))
            }
            Key::Ed25519(key) => {
                let version = der::integer(&[0]);
                let secret = der::value(OCTET_STRING, &der::value(OCTET_STRING, &key.to_bytes()));
                let algorithm = der::sequence(&[ED25519]);
                let der = der::sequence(&[&version, &algorithm, &secret]);
                Ok(pem("PRIVATE KEY", &der))
            }
        }
    }

    /// Reads a key.
    ///
    /// # Errors
    /// Sprig's text.
    pub(super) fn of_pem(text: &[u8]) -> Result<Self, String> {
        let Some((label, bytes)) = pem_block(text) else {
            return Err("no PEM data in input".to_owned());
        };
        if label == "PRIVATE KEY" {
            return Key::of_pkcs8(&bytes)
                .map_err(|error| format!("decoding PEM as PKCS#8: {error}"));
        }
        let Some(kind) = label.strip_suffix(" PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {label}"));
        };
        match kind {
            "RSA" => Key::of_pkcs1(&bytes)
                .map_err(|error| format!("parsing RSA private key from PEM: {error}")),
            "EC" => Key::of_sec1(&bytes)
                .map_err(|error| format!("parsing EC private key from PEM: {error}")),
            "DSA" => Err("DSA keys are not supported".to_owned()),
            other => Err(format!("invalid private key type {other}")),
        }
    }

    fn of_pkcs1(bytes: &[u8]) -> Result<Self, String> {
        let key = RsaPrivateKey::from_pkcs1_der(bytes);
        key.map(|key| Key::Rsa(Box::new(key)))
            .map_err(|error| error.to_string())
    }

    fn of_sec1(bytes: &[u8]) -> Result<Self, String> {
        let problem = || "x509: failed to parse EC private key".to_owned();
        let parts = der::inside(bytes).ok_or_else(problem)?;
        let secret = parts
            .get(1)
            .filter(|part| part.tag == OCTET_STRING)
            .ok_or_else(problem)?;
        let key = p256::ecdsa::SigningKey::from_slice(secret.content);
        key.map(Key::Ecdsa)
            .map_err(|_| "x509: unknown elliptic curve".to_owned())
    }

    fn of_pkcs8(bytes: &[u8]) -> Result<Self, String> {
        let problem = || "x509: failed to parse PKCS#8 private key".to_owned();
        let parts = der::inside(bytes).ok_or_else(problem)?;
        let [_, algorithm, secret, ..] = &parts[..] else {
            return Err(problem());
        };
        let named = der::read(algorithm.content).ok_or_else(problem)?;
        if named.whole == RSA {
            return Key::of_pkcs1(secret.content);
        }
        if named.whole == EC {
            return Key::of_sec1(secret.content);
        }
        if named.whole == ED25519 {
            let inner = der::read(secret.content).ok_or_else(problem)?;
            let secret: &[u8; 32] = inner.content.try_into().map_err(|_| problem())?;
            return Ok(Key::Ed25519(ed25519_dalek::SigningKey::from_bytes(secret)));
        }
        Err("x509: PKCS#8 wrapping contained private key with unknown algorithm".to_owned())
    }

    /// The public key with its algorithm, as certificates hold it; and its bits alone.
    pub(super) fn public(&self) -> (Vec<u8>, Vec<u8>) {
        let (algorithm, bits) = match self {
            Key::Rsa(key) => {
                let modulus = der::integer(&key.n().to_be_bytes());
                let exponent = der::integer(&key.e().to_be_bytes());
                (
                    der::sequence(&[RSA, NULL]),
                    der::sequence(&[&modulus, &exponent]),
                )
            }
            Key::Ecdsa(key) => (der::sequence(&[EC, P256]), point(key)),
            Key::Ed25519(key) => {
                let bits = key.verifying_key().to_bytes().to_vec();
                (der::sequence(&[ED25519]), bits)
            }
        };
        (der::sequence(&[&algorithm, &der::bits(&bits)]), bits)
    }

    /// How certificates name its signatures.
    pub(super) fn signature_algorithm(&self) -> Vec<u8> {
        match self {
            Key::Rsa(_) => der::sequence(&[SHA256_WITH_RSA, NULL]),
            Key::Ecdsa(_) => der::sequence(&[ECDSA_WITH_SHA256]),
            Key::Ed25519(_) => der::sequence(&[ED25519]),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let digest = Sha256::digest(message);
        match self {
            Key::Rsa(key) => key
                .sign(Pkcs1v15Sign::new::<Sha256>(), &digest)
                .map_err(|error| error.to_string()),
            Key::Ecdsa(key) => {
                let signature: Result<p256::ecdsa::Signature, _> = key.sign_prehash(&digest);
                let signature = signature.map_err(|error| error.to_string())?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Key::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
        }
    }
}

fn point(key: &p256::ecdsa::SigningKey) -> Vec<u8> {
    key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
}

/// Bytes as PEM.
pub(super) fn pem(label: &str, bytes: &[u8]) -> String {
    const WIDTH: usize = 64;
    let encoded = STANDARD.encode(bytes);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(WIDTH) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// The first block of a PEM text: its label and bytes.
pub(super) fn pem_block(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut rest = text;
    loop {
        let (_, behind) = rest.split_once("-----BEGIN ")?;
        rest = behind;
        let Some((label, body)) = behind.split_once("-----") else {
            continue;
        };
        let Some((body, _)) = body.split_once(&format!("-----END {label}-----")) else {
            continue;
        };
        // Lines with a colon are headers, which end at an empty line.
        let body = match body.split_once("\n\n") {
            Some((headers, body)) if headers.contains(':') => body,
            _ => body,
        };
        let body: String = body.split_whitespace().collect();
        if let Ok(bytes) = base64_decoded(body.as_bytes()) {
            return Some((label.to_owned(), bytes));
        }
    }
}
