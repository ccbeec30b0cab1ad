//! Keys and certificates: `genCA`, `genSignedCert` and their kin.
//!
//! Certificates are those that Go's `x509` makes of Sprig's template, extension by extension.

use std::any::Any;
use std::net::IpAddr;
use std::rc::Rc;

use sha2_next::{Digest as _, Sha256};

use gotmpl::text::bytes_of_text;
use gotmpl::{Data, Kind, Member, Object, Scope, Session, Type, Value};

use crate::arguments::{Answer, Arguments, INT, LIST, Row, TEXT, text};
use crate::der::{self, BIT_STRING, OCTET_STRING, SEQUENCE, SET};
use crate::encodings::base64_decoded;
use crate::keys::{Key, pem, pem_block};
use crate::time::Time;

const CERTIFICATE: Type = Type::Named("sprig.certificate");
const RSA_BITS: usize = 2_048;

pub(super) const ROWS: &[Row] = &[
    Row::new("genPrivateKey", &[TEXT], TEXT, |scope, all| {
        const BITS: usize = 4_096;
        let session = scope.session();
        let key = match all.text(0) {
            "" | "rsa" => Key::new_rsa(session, BITS)?,
            "ecdsa" => Key::new_ecdsa(session),
            "ed25519" => Key::new_ed25519(session),
            "dsa" => return Err("DSA keys are not supported".to_owned()),
            other => return text(format!("Unknown type {other}")),
        };
        text(key.pem()?)
    }),
    Row::new("genCA", &[TEXT, INT], CERTIFICATE, |scope, all| {
        let key = new_key(scope)?;
        authority(scope, all, &key)
    }),
    Row::new(
        "genCAWithKey",
        &[TEXT, INT, TEXT],
        CERTIFICATE,
        |scope, all| {
            let key = given_key(all.text(2))?;
            authority(scope, all, &key)
        },
    ),
    Row::new(
        "genSelfSignedCert",
        &[TEXT, LIST, LIST, INT],
        CERTIFICATE,
        |scope, all| {
            let request = Request::new(scope.session(), all)?;
            let key = new_key(scope)?;
            request.issue(&key, &Signer::own(&request, &key))
        },
    ),
    Row::new(
        "genSelfSignedCertWithKey",
        &[TEXT, LIST, LIST, INT, TEXT],
        CERTIFICATE,
        |scope, all| {
            let key = given_key(all.text(4))?;
            let request = Request::new(scope.session(), all)?;
            request.issue(&key, &Signer::own(&request, &key))
        },
    ),
    Row::new(
        "genSignedCert",
        &[TEXT, LIST, LIST, INT, CERTIFICATE],
        CERTIFICATE,
        |scope, all| {
            let authority = Authority::new(all.value(4))?;
            let request = Request::new(scope.session(), all)?;
            let key = new_key(scope)?;
            request.issue(&key, &authority.signer())
        },
    ),
    Row::new(
        "genSignedCertWithKey",
        &[TEXT, LIST, LIST, INT, CERTIFICATE, TEXT],
        CERTIFICATE,
        |scope, all| {
            let key = given_key(all.text(5))?;
            let authority = Authority::new(all.value(4))?;
            let request = Request::new(scope.session(), all)?;
            request.issue(&key, &authority.signer())
        },
    ),
    Row::new("buildCustomCert", &[TEXT; 2], CERTIFICATE, build),
];

/// A certificate and its key, as PEM.
struct Certificate {
    cert: String,
    key: String,
}

impl Object for Certificate {
    fn type_name(&self) -> String {
        "sprig.certificate".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn data(&self) -> Data {
        Data::Fields(vec![
            ("Cert", Value::text(&self.cert)),
            ("Key", Value::text(&self.key)),
        ])
    }

    fn member(&self, name: &str) -> Option<Member> {
        match name {
            "Cert" => Some(Member::Field(Value::text(&self.cert))),
            "Key" => Some(Member::Field(Value::text(&self.key))),
            _ => None,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn new_key(scope: &mut Scope<'_>) -> Result<Key, String> {
    Key::new_rsa(scope.session(), RSA_BITS)
        .map_err(|error| format!("error generating rsa key: {error}"))
}

fn given_key(pem: &str) -> Result<Key, String> {
    Key::of_pem(&bytes_of_text(pem)).map_err(|error| format!("parsing private key: {error}"))
}

fn authority(scope: &mut Scope<'_>, all: Arguments<'_>, key: &Key) -> Answer {
    let session = scope.session();
    let request = Request {
        is_authority: true,
        ..Request::of(session, all.text(0), all.int(1))
    };
    request.issue(key, &Signer::own(&request, key))
}

fn build(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let decoded = |place: usize, what: &str| {
        base64_decoded(&bytes_of_text(all.text(place)))
            .map_err(|_| format!("unable to decode base64 {what}"))
    };
    let (cert, key) = (decoded(0, "certificate")?, decoded(1, "private key")?);
    let (_, der) = pem_block(&cert).ok_or("unable to decode certificate")?;
    Issuer::of_certificate(&der)
        .ok_or("error parsing certificate: decodedCert.Bytes: x509: malformed certificate")?;
    Key::of_pem(&key).map_err(|error| format!("error parsing private key: {error}"))?;
    let certificate = Certificate {
        cert: String::from_utf8_lossy(&cert).into_owned(),
        key: String::from_utf8_lossy(&key).into_owned(),
    };
    Ok(Value::Object(Rc::new(certificate)))
}

/// What a certificate is to say.
struct Request {
    /// The common name, encoded.
    subject: Vec<u8>,
    addresses: Vec<IpAddr>,
    names: Vec<String>,
    serial: [u8; 16],
    from: Time,
    until: Time,
    is_authority: bool,
}

/// What a certificate says of who may sign with its key.
struct Issuer {
    subject: Vec<u8>,
    key_id: Vec<u8>,
    public: Vec<u8>,
}

/// Who signs.
struct Signer<'a> {
    key: &'a Key,
    subject: Vec<u8>,
    key_id: Vec<u8>,
}

/// A certificate that signs others, with its key.
struct Authority {
    issuer: Issuer,
    key: Key,
}

impl Request {
    /// A name, addresses, more names, and days.
    fn new(session: &mut Session, all: Arguments<'_>) -> Result<Self, String> {
        let mut addresses = Vec::new();
        for value in items(all.value(1)) {
            let Value::Text(text) = value else {
                let shown = gotmpl::text::sprint(std::slice::from_ref(value));
                return Err(format!("error parsing ip: {shown} is not a string"));
            };
            let address = text.parse::<IpAddr>();
            addresses.push(address.map_err(|_| format!("error parsing ip: {text}"))?);
        }
        let mut names = Vec::new();
        for value in items(all.value(2)) {
            let Value::Text(text) = value else {
                let shown = gotmpl::text::sprint(std::slice::from_ref(value));
                return Err(format!(
                    "error processing alternate dns name: {shown} is not a string"
                ));
            };
            if !text.is_ascii() {
                let shown = gotmpl::quote(text);
                return Err(format!(
                    "error creating certificate: x509: {shown} cannot be encoded as an IA5String"
                ));
            }
            names.push(text.to_string());
        }
        Ok(Request {
            addresses,
            names,
            ..Request::of(session, all.text(0), all.int(3))
        })
    }

    /// For a name alone.
    fn of(session: &mut Session, name: &str, days: i64) -> Self {
        let from = Time::of_now(session.now());
        let seconds = days.wrapping_mul(24 * 3_600);
        let mut serial = [0; 16];
        session.random().fill(&mut serial);
        Request {
            subject: subject(name),
            addresses: Vec::new(),
            names: Vec::new(),
            serial,
            until: Time::of_unix(from.seconds.saturating_add(seconds)),
            from,
            is_authority: false,
        }
    }

    /// The certificate for a key, signed.
    fn issue(&self, key: &Key, signer: &Signer<'_>) -> Answer {
        let (public, bits) = key.public();
        let algorithm = signer.key.signature_algorithm();
        let version = der::value(0xa0, &der::integer(&[2]));
        let validity = der::sequence(&[&moment(&self.from), &moment(&self.until)]);
        let serial = der::integer(&self.serial);
        let parts: [&[u8]; 8] = [
            &version,
            &serial,
            &algorithm,
            &signer.subject,
            &validity,
            &self.subject,
            &public,
            &self.extensions(&bits, signer),
        ];
        let signed = der::sequence(&parts);
        let signature = signer
            .key
            .sign(&signed)
            .map_err(|error| format!("error creating certificate: {error}"))?;
        let whole = der::sequence(&[&signed, &algorithm, &der::bits(&signature)]);
        let certificate = Certificate {
            cert: pem("CERTIFICATE", &whole),
            key: key.pem()?,
        };
        Ok(Value::Object(Rc::new(certificate)))
    }

    fn extensions(&self, public_bits: &[u8], signer: &Signer<'_>) -> Vec<u8> {
        const CLIENT_AND_SERVER: &[u8] = &[
            6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2,
        ];
        // Signatures and encryption of keys; authorities sign certificates too.
        let usage: &[u8] = if self.is_authority {
            &[2, 0xa4]
        } else {
            &[5, 0xa0]
        };
        let constraints: &[u8] = if self.is_authority {
            &[1, 1, 0xff]
        } else {
            &[]
        };
        let mut all = vec![
            extension(15, Weight::Critical, &der::value(BIT_STRING, usage)),
            extension(37, Weight::Normal, &der::value(SEQUENCE, CLIENT_AND_SERVER)),
            extension(19, Weight::Critical, &der::value(SEQUENCE, constraints)),
        ];
        if self.is_authority {
            let id = der::value(OCTET_STRING, &key_id(public_bits));
            all.push(extension(14, Weight::Normal, &id));
        }
        if signer.subject != self.subject && !signer.key_id.is_empty() {
            let id = der::sequence(&[&der::value(0x80, &signer.key_id)]);
            all.push(extension(35, Weight::Normal, &id));
        }
        if !self.names.is_empty() || !self.addresses.is_empty() {
            let names = self
                .names
                .iter()
                .map(|name| der::value(0x82, name.as_bytes()));
            let addresses = self
                .addresses
                .iter()
                .map(|address| match address.to_canonical() {
                    IpAddr::V4(address) => der::value(0x87, &address.octets()),
                    IpAddr::V6(address) => der::value(0x87, &address.octets()),
                });
            let content: Vec<u8> = names.chain(addresses).flatten().collect();
            let is_nameless = self.subject == der::sequence(&[]);
            let weight = if is_nameless {
                Weight::Critical
            } else {
                Weight::Normal
            };
            all.push(extension(17, weight, &der::value(SEQUENCE, &content)));
        }
        der::value(0xa3, &der::value(SEQUENCE, &all.concat()))
    }
}

impl<'a> Signer<'a> {
    /// One who signs for himself.
    fn own(request: &Request, key: &'a Key) -> Self {
        Signer {
            key,
            subject: request.subject.clone(),
            key_id: Vec::new(),
        }
    }
}

impl Authority {
    fn new(value: &Value) -> Result<Self, String> {
        let Value::Object(object) = value else {
            return Err("unable to decode certificate".to_owned());
        };
        let Some(certificate) = object.as_any().downcast_ref::<Certificate>() else {
            return Err("unable to decode certificate".to_owned());
        };
        let (_, der) =
            pem_block(&bytes_of_text(&certificate.cert)).ok_or("unable to decode certificate")?;
        let issuer = Issuer::of_certificate(&der).ok_or(
            "error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate",
        )?;
        let key = Key::of_pem(&bytes_of_text(&certificate.key))
            .map_err(|error| format!("error parsing private key: {error}"))?;
        if key.public().0 != issuer.public {
            return Err(
                "error creating certificate: x509: provided PrivateKey doesn't match \
                        parent's PublicKey"
                    .to_owned(),
            );
        }
        Ok(Authority { issuer, key })
    }

    fn signer(&self) -> Signer<'_> {
        Signer {
            key: &self.key,
            subject: self.issuer.subject.clone(),
            key_id: self.issuer.key_id.clone(),
        }
    }
}

impl Issuer {
    /// What a certificate says of its subject.
    fn of_certificate(certificate: &[u8]) -> Option<Self> {
        const KEY_ID: &[u8] = &[6, 3, 0x55, 0x1d, 14];
        let whole = der::inside(certificate)?;
        let parts = der::inside(whole.first()?.whole)?;
        // The version may be left out.
        let start = usize::from(parts.first()?.tag == 0xa0);
        let [_, _, _, _, subject, public, rest @ ..] = parts.get(start..)? else {
            return None;
        };
        let extensions = rest.iter().find(|part| part.tag == 0xa3);
        let extensions = extensions.and_then(|part| der::inside(part.content));
        let key_id = extensions.iter().flatten().find_map(|one| {
            let parts = der::inside(one.whole)?;
            let is_it = parts.first()?.whole == KEY_ID;
            let id = is_it.then(|| der::read(parts.last()?.content))??;
            Some(id.content.to_vec())
        });
        Some(Issuer {
            subject: subject.whole.to_vec(),
            key_id: key_id.unwrap_or_default(),
            public: public.whole.to_vec(),
        })
    }
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(list) => list.items(),
        _ => &[],
    }
}

/// A common name; none when it is empty.
fn subject(name: &str) -> Vec<u8> {
    const COMMON_NAME: &[u8] = &[6, 3, 0x55, 4, 3];
    const PRINTABLE: u8 = 0x13;
    const UTF8: u8 = 0x0c;
    if name.is_empty() {
        return der::sequence(&[]);
    }
    let is_printable = |it: char| it.is_ascii_alphanumeric() || " '()+,-./:=?".contains(it);
    let tag = if name.chars().all(is_printable) {
        PRINTABLE
    } else {
        UTF8
    };
    let pair = der::sequence(&[COMMON_NAME, &der::value(tag, name.as_bytes())]);
    der::sequence(&[&der::value(SET, &pair)])
}

/// A moment: with two digits of its year in this age.
fn moment(time: &Time) -> Vec<u8> {
    const SHORT: u8 = 0x17;
    const LONG: u8 = 0x18;
    match time.civil().year {
        1950..=2049 => der::value(SHORT, time.format("060102150405Z").as_bytes()),
        _ => der::value(LONG, time.format("20060102150405Z").as_bytes()),
    }
}

/// Whether who does not know an extension may trust the certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Normal,
    Critical,
}

fn extension(number: u8, weight: Weight, content: &[u8]) -> Vec<u8> {
    let id = [6, 3, 0x55, 0x1d, number];
    let critical: &[u8] = if weight == Weight::Critical {
        &[1, 1, 0xff]
    } else {
        &[]
    };
    der::sequence(&[&id, critical, &der::value(OCTET_STRING, content)])
}

/// The first 20 bytes of the hash of a public key, as Go 1.25 and later name it.
fn key_id(public_bits: &[u8]) -> Vec<u8> {
    Sha256::digest(public_bits)[..20].to_vec()
}
