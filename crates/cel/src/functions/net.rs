//! IP addresses and their ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Done, no_overload};
use crate::eval::EvalError;
use crate::value::{Opaque, Val};

/// An address without zone, and none of IPv4 in the clothes of IPv6.
fn parse(text: &str) -> Result<IpAddr, String> {
    if text.contains('%') {
        return Err(format!(
            "IP address {text:?} with zone value is not allowed"
        ));
    }
    match text.parse() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            Err(format!("IPv4-mapped IPv6 address {text:?} is not allowed"))
        }
        Ok(address) => Ok(address),
        Err(_) => Err(format!(
            "IP Address {text:?} parse error during conversion from string: ParseAddr({text:?}): \
             unable to parse IP"
        )),
    }
}

fn parse_cidr(text: &str) -> Result<(IpAddr, u8), String> {
    let failed = |why: &str| {
        format!(
            "network address parse error during conversion from string: \
             netip.ParsePrefix({text:?}): {why}"
        )
    };
    let (address, length) = text.split_once('/').ok_or_else(|| failed("no '/'"))?;
    let address = parse(address).map_err(|_invalid| failed("unable to parse IP"))?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let canonical = length == "0" || !length.starts_with(['0', '+']);
    let length: Option<u8> = length.parse().ok().filter(|_| canonical);
    match length {
        Some(length) if length <= most => Ok((address, length)),
        Some(_) => Err(failed("prefix length out of range")),
        None => Err(failed("bad bits after slash")),
    }
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

fn mask(address: IpAddr, length: u8) -> IpAddr {
    let (number, width) = bits(address);
    let drop = width.saturating_sub(length.into());
    let kept = if drop >= 128 {
        0
    } else {
        number >> drop << drop
    };
    match address {
        IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(kept).unwrap_or_default()).into(),
        IpAddr::V6(_) => Ipv6Addr::from(kept).into(),
    }
}

fn holds(range: (IpAddr, u8), address: IpAddr) -> bool {
    range.0.is_ipv4() == address.is_ipv4() && mask(range.0, range.1) == mask(address, range.1)
}

pub(crate) fn ip<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(text)] => parse(text)
            .map(|address| Val::Opaque(Opaque::Ip(address)))
            .map_err(EvalError::new),
        [Val::Opaque(Opaque::Cidr(address, _))] => Ok(Val::Opaque(Opaque::Ip(*address))),
        _ => no_overload(),
    }
}

pub(crate) fn is_ip<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(text)] => Ok(Val::Bool(parse(text).is_ok())),
        _ => no_overload(),
    }
}

pub(crate) fn is_canonical<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(text)] => parse(text)
            .map(|address| Val::Bool(address.to_string() == text.as_str()))
            .map_err(EvalError::new),
        _ => no_overload(),
    }
}

fn test<'a>(args: &[Val<'a>], holds: fn(IpAddr) -> bool) -> Done<'a> {
    match args {
        [Val::Opaque(Opaque::Ip(address))] => Ok(Val::Bool(holds(*address))),
        _ => no_overload(),
    }
}

pub(crate) fn family<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Opaque(Opaque::Ip(address))] => Ok(Val::Int(if address.is_ipv4() { 4 } else { 6 })),
        _ => no_overload(),
    }
}

pub(crate) fn is_unspecified<'a>(args: &[Val<'a>]) -> Done<'a> {
    test(args, |address| address.is_unspecified())
}

pub(crate) fn is_loopback<'a>(args: &[Val<'a>]) -> Done<'a> {
    test(args, |address| address.is_loopback())
}

fn link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets().starts_with(&[224, 0, 0]),
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    }
}

fn link_local_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

pub(crate) fn is_link_local_multicast<'a>(args: &[Val<'a>]) -> Done<'a> {
    test(args, link_local_multicast)
}

pub(crate) fn is_link_local_unicast<'a>(args: &[Val<'a>]) -> Done<'a> {
    test(args, link_local_unicast)
}

pub(crate) fn is_global_unicast<'a>(args: &[Val<'a>]) -> Done<'a> {
    test(args, |address| {
        let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
        !(is_broadcast
            || address.is_unspecified()
            || address.is_loopback()
            || address.is_multicast()
            || link_local_unicast(address))
    })
}

pub(crate) fn cidr<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(text)] => parse_cidr(text)
            .map(|(address, length)| Val::Opaque(Opaque::Cidr(address, length)))
            .map_err(EvalError::new),
        _ => no_overload(),
    }
}

pub(crate) fn is_cidr<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(text)] => Ok(Val::Bool(parse_cidr(text).is_ok())),
        _ => no_overload(),
    }
}

pub(crate) fn contains_ip<'a>(args: &[Val<'a>]) -> Done<'a> {
    let (range, address) = match args {
        [Val::Opaque(Opaque::Cidr(base, length)), Val::String(text)] => {
            ((*base, *length), parse(text).map_err(EvalError::new)?)
        }
        [
            Val::Opaque(Opaque::Cidr(base, length)),
            Val::Opaque(Opaque::Ip(address)),
        ] => ((*base, *length), *address),
        _ => return no_overload(),
    };
    Ok(Val::Bool(holds(range, address)))
}

pub(crate) fn contains_cidr<'a>(args: &[Val<'a>]) -> Done<'a> {
    let (range, inner) = match args {
        [Val::Opaque(Opaque::Cidr(base, length)), Val::String(text)] => {
            ((*base, *length), parse_cidr(text).map_err(EvalError::new)?)
        }
        [
            Val::Opaque(Opaque::Cidr(base, length)),
            Val::Opaque(Opaque::Cidr(address, inner)),
        ] => ((*base, *length), (*address, *inner)),
        _ => return no_overload(),
    };
    let fits = inner.1 >= range.1 && holds(range, mask(inner.0, inner.1));
    Ok(Val::Bool(fits))
}

pub(crate) fn prefix_length<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Opaque(Opaque::Cidr(_, length))] => Ok(Val::Int((*length).into())),
        _ => no_overload(),
    }
}

pub(crate) fn masked<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::Opaque(Opaque::Cidr(address, length))] => {
            Ok(Val::Opaque(Opaque::Cidr(mask(*address, *length), *length)))
        }
        _ => no_overload(),
    }
}
