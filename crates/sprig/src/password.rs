//! Passwords: the master password algorithm of `derivePassword`, bcrypt and htpasswd, and AES.

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blowfish::Blowfish;
use cbc::cipher::{Block, BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2_next::Sha256;

use gotmpl::text::{bytes_of_text, text_of_bytes};
use gotmpl::{Scope, Type};

use crate::arguments::{Answer, Arguments, Row, TEXT, text};
use crate::encodings::base64_decoded;

pub(super) const ROWS: &[Row] = &[
    Row::new(
        "derivePassword",
        &[Type::Uint32, TEXT, TEXT, TEXT, TEXT],
        TEXT,
        derive_password,
    ),
    Row::new("bcrypt", &[TEXT], TEXT, |scope, all| {
        text(bcrypt(scope, all.text(0))?)
    }),
    Row::new("htpasswd", &[TEXT; 2], TEXT, |scope, all| {
        let (user, password) = (all.text(0), all.text(1));
        if user.contains(':') {
            return text(format!("invalid username: {user}"));
        }
        text(format!("{user}:{}", bcrypt(scope, password)?))
    }),
    Row::new("encryptAES", &[TEXT; 2], TEXT, encrypt),
    Row::new("decryptAES", &[TEXT; 2], TEXT, decrypt),
];

/// Steps of a render that work of a whole processor for some tenths of a second takes.
pub(super) const SLOW_STEPS: u64 = 2_000_000;

/// The forms of passwords: each letter stands for a set of characters.
const FORMS: &[(&str, &[&str])] = &[
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

const SETS: &[(u8, &str)] = &[
    (b'V', "AEIOU"),
    (b'C', "BCDFGHJKLMNPQRSTVWXYZ"),
    (b'v', "aeiou"),
    (b'c', "bcdfghjklmnpqrstvwxyz"),
    (b'A', "AEIOUBCDFGHJKLMNPQRSTVWXYZ"),
    (b'a', "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"),
    (b'n', "0123456789"),
    (b'o', "@&%?,=[]_:-+*$#!'^~;()/."),
    (
        b'x',
        "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    ),
];

fn derive_password(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    const SEED: &[u8] = b"com.lyndir.masterpassword";
    let (counter, kind) = (all.int(0), all.text(1));
    let Some((_, forms)) = FORMS.iter().find(|(name, _)| *name == kind) else {
        return text(format!("cannot find password template {kind}"));
    };
    scope.session().take_steps(SLOW_STEPS)?;
    let part = |text: &str| {
        let bytes = bytes_of_text(text);
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        [&size.to_be_bytes()[..], &bytes].concat()
    };
    let salt = [SEED, &part(all.text(3))].concat();
    let parameters = scrypt::Params::new(15, 8, 2).map_err(|error| error.to_string())?;
    let mut key = [0; 64];
    scrypt::scrypt(&bytes_of_text(all.text(2)), &salt, &parameters, &mut key)
        .map_err(|error| error.to_string())?;
    let counter = u32::try_from(counter).unwrap_or_default().to_be_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| error.to_string())?;
    mac.update(&[SEED, &part(all.text(4)), &counter].concat());
    let seed = mac.finalize().into_bytes();
    let form = forms[usize::from(seed[0]) % forms.len()];
    let chosen = form
        .bytes()
        .zip(seed.iter().skip(1))
        .filter_map(|(letter, byte)| {
            let (_, set) = SETS.iter().find(|(known, _)| *known == letter)?;
            Some(char::from(set.as_bytes()[usize::from(*byte) % set.len()]))
        });
    text(chosen.collect::<String>())
}

/// Bcrypt's own order of the 64 digits.
const BCRYPT_DIGITS: &[u8; 64] =
    b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A hash of the default cost, with a salt of the render.
fn bcrypt(scope: &mut Scope<'_>, password: &str) -> Result<String, String> {
    const COST: u32 = 10;
    const MAX_PASSWORD: usize = 72;
    const SECRET: &[u8; 24] = b"OrpheanBeholderScryDoubt";
    let password = bytes_of_text(password);
    if password.len() > MAX_PASSWORD {
        return Ok(
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
                .to_owned(),
        );
    }
    scope.session().take_steps(SLOW_STEPS)?;
    let mut salt = [0; 16];
    scope.session().random().fill(&mut salt);
    // The end of the text belongs to the key, as in C.
    let key = [&password[..], &[0]].concat();
    let mut state = Blowfish::bc_init_state();
    state.salted_expand_key(&salt, &key);
    for _ in 0..1u32 << COST {
        state.bc_expand_key(&key);
        state.bc_expand_key(&salt);
    }
    let mut hash = Vec::with_capacity(SECRET.len());
    for pair in SECRET.chunks_exact(8) {
        let word =
            |at: usize| u32::from_be_bytes([pair[at], pair[at + 1], pair[at + 2], pair[at + 3]]);
        let mut words = [word(0), word(4)];
        for _ in 0..64 {
            words = state.bc_encrypt(words);
        }
        hash.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    }
    // The last byte was never a part of it.
    let (salt, hash) = (bcrypt_digits(&salt), bcrypt_digits(&hash[..23]));
    Ok(format!("$2a${COST}${salt}{hash}"))
}

fn bcrypt_digits(bytes: &[u8]) -> String {
    let digits = bytes.chunks(3).flat_map(|group| {
        let bits = group
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        (0..=group.len()).map(move |place| {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
            char::from(BCRYPT_DIGITS[digit])
        })
    });
    digits.collect()
}

/// The first 32 bytes of a password, filled up with zeros.
fn aes_key(password: &str) -> [u8; 32] {
    let mut key = [0; 32];
    for (place, byte) in key.iter_mut().zip(bytes_of_text(password).iter()) {
        *place = *byte;
    }
    key
}

const BLOCK: usize = 16;

fn encrypt(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let content = bytes_of_text(all.text(1));
    if content.is_empty() {
        return text("");
    }
    scope.session().take_steps(content.len() as u64 / 8)?;
    let mut start = [0; BLOCK];
    scope.session().random().fill(&mut start);
    let padding = BLOCK - content.len() % BLOCK;
    let mut padded = content.into_owned();
    padded.extend(std::iter::repeat_n(
        u8::try_from(padding).unwrap_or(0),
        padding,
    ));
    let mut cipher = cbc::Encryptor::<Aes256>::new(&aes_key(all.text(0)).into(), &start.into());
    for chunk in padded.chunks_exact_mut(BLOCK) {
        let mut block = Block::<Aes256>::try_from(&*chunk).map_err(|error| error.to_string())?;
        cipher.encrypt_block(&mut block);
        chunk.copy_from_slice(&block);
    }
    text(STANDARD.encode([&start[..], &padded].concat()))
}

fn decrypt(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let encoded = bytes_of_text(all.text(1));
    if encoded.is_empty() {
        return text("");
    }
    scope.session().take_steps(encoded.len() as u64 / 8)?;
    let bytes =
        base64_decoded(&encoded).map_err(|at| format!("illegal base64 data at input byte {at}"))?;
    let Some((start, content)) = bytes.split_first_chunk::<BLOCK>() else {
        return Err(format!(
            "runtime error: slice bounds out of range [:{BLOCK}] with capacity {}",
            bytes.len()
        ));
    };
    if content.len() % BLOCK != 0 {
        return Err("crypto/cipher: input not full blocks".to_owned());
    }
    let mut plain = content.to_vec();
    let mut cipher = cbc::Decryptor::<Aes256>::new(&aes_key(all.text(0)).into(), &(*start).into());
    for chunk in plain.chunks_exact_mut(BLOCK) {
        let mut block = Block::<Aes256>::try_from(&*chunk).map_err(|error| error.to_string())?;
        cipher.decrypt_block(&mut block);
        chunk.copy_from_slice(&block);
    }
    let Some(padding) = plain.last().copied() else {
        return Err("runtime error: index out of range [-1]".to_owned());
    };
    let Some(size) = plain.len().checked_sub(padding.into()) else {
        let size = i64::try_from(plain.len()).unwrap_or(0) - i64::from(padding);
        return Err(format!(
            "runtime error: slice bounds out of range [:{size}]"
        ));
    };
    text(text_of_bytes(&plain[..size]))
}
