//! The functions and operators that expressions may use: their signatures, as data.
//!
//! A signature is `(arguments)->result`, with `receiver.` before it when it is called on something.
//! `A` and `B` are type parameters. The table has what kube-apiserver v1.35 lets new expressions use.

use std::collections::HashMap;

use crate::expression_type::Type;
use crate::functions::{Run, compare, convert, lists, maps, net, numbers, optional, quantity};
use crate::functions::{format, named_format, semver, sets, strings, time, url};

/// One way to call a function.
#[derive(Clone, Debug)]
pub(crate) struct Overload {
    pub(crate) is_member: bool,
    pub(crate) args: Vec<Type>,
    pub(crate) result: Type,
}

/// A function with all its overloads.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) overloads: Vec<Overload>,
    pub(crate) run: Run,
}

/// All functions by name.
pub(crate) type Functions = HashMap<&'static str, Function>;

/// Numbers are compared across their types.
const ORDERED: &str = "(bool,bool)->bool (int,int)->bool (int,double)->bool (int,uint)->bool \
    (uint,uint)->bool (uint,double)->bool (uint,int)->bool (double,double)->bool \
    (double,int)->bool (double,uint)->bool (string,string)->bool (bytes,bytes)->bool \
    (timestamp,timestamp)->bool (duration,duration)->bool";

const OF_TIMESTAMP: &str = "timestamp.()->int timestamp.(string)->int";
const OF_TIME: &str = "timestamp.()->int timestamp.(string)->int duration.()->int";
const SORTABLE: &str = "list(int).()->bool list(uint).()->bool list(double).()->bool \
    list(bool).()->bool list(duration).()->bool list(timestamp).()->bool list(string).()->bool \
    list(bytes).()->bool";
const EXTREME: &str = "list(int).()->int list(uint).()->uint list(double).()->double \
    list(bool).()->bool list(duration).()->duration list(timestamp).()->timestamp \
    list(string).()->string list(bytes).()->bytes";
const SORTED: &str = "list(int).()->list(int) list(uint).()->list(uint) \
    list(double).()->list(double) list(bool).()->list(bool) \
    list(duration).()->list(duration) list(timestamp).()->list(timestamp) \
    list(string).()->list(string) list(bytes).()->list(bytes)";
const SORTED_BY: &str = "list(A).(list(int))->list(A) list(A).(list(uint))->list(A) \
    list(A).(list(double))->list(A) list(A).(list(bool))->list(A) \
    list(A).(list(duration))->list(A) list(A).(list(timestamp))->list(A) \
    list(A).(list(string))->list(A) list(A).(list(bytes))->list(A)";

const TABLE: &[(&str, &str, Run)] = &[
    ("!_", "(bool)->bool", numbers::not),
    ("-_", "(int)->int (double)->double", numbers::negate),
    (
        "_+_",
        "(int,int)->int (uint,uint)->uint (double,double)->double (string,string)->string \
         (bytes,bytes)->bytes (list(A),list(A))->list(A) (duration,duration)->duration \
         (duration,timestamp)->timestamp (timestamp,duration)->timestamp",
        numbers::add,
    ),
    (
        "_-_",
        "(int,int)->int (uint,uint)->uint (double,double)->double \
         (duration,duration)->duration (timestamp,duration)->timestamp \
         (timestamp,timestamp)->duration",
        numbers::subtract,
    ),
    (
        "_*_",
        "(int,int)->int (uint,uint)->uint (double,double)->double",
        numbers::multiply,
    ),
    (
        "_/_",
        "(int,int)->int (uint,uint)->uint (double,double)->double",
        numbers::divide,
    ),
    ("_%_", "(int,int)->int (uint,uint)->uint", numbers::modulo),
    ("_==_", "(A,A)->bool", compare::equal),
    ("_!=_", "(A,A)->bool", compare::not_equal),
    ("_<_", ORDERED, compare::less),
    ("_<=_", ORDERED, compare::less_or_equal),
    ("_>_", ORDERED, compare::greater),
    ("_>=_", ORDERED, compare::greater_or_equal),
    (
        "@in",
        "(A,list(A))->bool (A,map(A,B))->bool",
        maps::contains,
    ),
    ("@not_strictly_false", "(bool)->bool", numbers::identity),
    ("_?_:_", "(bool,A,A)->A", numbers::identity),
    (
        "_[_]",
        "(list(A),int)->A (map(A,B),A)->B (opt(list(A)),int)->opt(A) (opt(map(A,B)),A)->opt(B)",
        maps::index,
    ),
    (
        "_[?_]",
        "(list(A),int)->opt(A) (opt(list(A)),int)->opt(A) (map(A,B),A)->opt(B) \
         (opt(map(A,B)),A)->opt(B)",
        maps::optional_index,
    ),
    (
        "cel.@mapInsert",
        "(map(A,B),A,B)->map(A,B) (map(A,B),map(A,B))->map(A,B)",
        maps::insert,
    ),
    (
        "size",
        "(string)->int (bytes)->int (list(A))->int (map(A,B))->int string.()->int bytes.()->int \
         list(A).()->int map(A,B).()->int",
        maps::size,
    ),
    // Conversions.
    ("bool", "(bool)->bool (string)->bool", convert::to_bool),
    ("bytes", "(bytes)->bytes (string)->bytes", convert::to_bytes),
    (
        "double",
        "(double)->double (int)->double (string)->double (uint)->double",
        convert::to_double,
    ),
    (
        "duration",
        "(duration)->duration (int)->duration (string)->duration",
        convert::to_duration,
    ),
    ("dyn", "(A)->dyn", numbers::identity),
    (
        "int",
        "(int)->int (double)->int (duration)->int (string)->int (timestamp)->int (uint)->int",
        convert::to_int,
    ),
    (
        "string",
        "(string)->string (bool)->string (bytes)->string (double)->string (duration)->string \
         (int)->string (timestamp)->string (uint)->string (net.IP)->string (net.CIDR)->string",
        convert::to_string,
    ),
    (
        "timestamp",
        "(timestamp)->timestamp (int)->timestamp (string)->timestamp",
        convert::to_timestamp,
    ),
    (
        "uint",
        "(uint)->uint (double)->uint (int)->uint (string)->uint",
        convert::to_uint,
    ),
    ("type", "(A)->type(A)", convert::type_of),
    // Strings.
    ("contains", "string.(string)->bool", strings::contains),
    ("endsWith", "string.(string)->bool", strings::ends_with),
    ("startsWith", "string.(string)->bool", strings::starts_with),
    (
        "matches",
        "(string,string)->bool string.(string)->bool",
        strings::matches,
    ),
    ("charAt", "string.(int)->string", strings::char_at),
    (
        "indexOf",
        "string.(string)->int string.(string,int)->int list(A).(A)->int",
        strings::index_of,
    ),
    (
        "lastIndexOf",
        "string.(string)->int string.(string,int)->int list(A).(A)->int",
        strings::last_index_of,
    ),
    ("lowerAscii", "string.()->string", strings::lower_ascii),
    ("upperAscii", "string.()->string", strings::upper_ascii),
    (
        "replace",
        "string.(string,string)->string string.(string,string,int)->string",
        strings::replace,
    ),
    (
        "split",
        "string.(string)->list(string) string.(string,int)->list(string)",
        strings::split,
    ),
    (
        "substring",
        "string.(int)->string string.(int,int)->string",
        strings::substring,
    ),
    ("trim", "string.()->string", strings::trim),
    (
        "join",
        "list(string).()->string list(string).(string)->string",
        strings::join,
    ),
    ("strings.quote", "(string)->string", strings::quote),
    ("format", "string.(list(dyn))->string", format::format),
    ("find", "string.(string)->string", strings::find),
    (
        "findAll",
        "string.(string)->list(string) string.(string,int)->list(string)",
        strings::find_all,
    ),
    // Times.
    ("getFullYear", OF_TIMESTAMP, time::full_year),
    ("getMonth", OF_TIMESTAMP, time::month),
    ("getDayOfYear", OF_TIMESTAMP, time::day_of_year),
    ("getDayOfMonth", OF_TIMESTAMP, time::day_of_month),
    ("getDate", OF_TIMESTAMP, time::date),
    ("getDayOfWeek", OF_TIMESTAMP, time::day_of_week),
    ("getHours", OF_TIME, time::hours),
    ("getMinutes", OF_TIME, time::minutes),
    ("getSeconds", OF_TIME, time::seconds),
    ("getMilliseconds", OF_TIME, time::milliseconds),
    // Lists and sets.
    ("isSorted", SORTABLE, lists::is_sorted),
    (
        "sum",
        "list(int).()->int list(uint).()->uint list(double).()->double \
         list(duration).()->duration",
        lists::sum,
    ),
    ("min", EXTREME, lists::min),
    ("max", EXTREME, lists::max),
    ("slice", "list(A).(int,int)->list(A)", lists::slice),
    (
        "flatten",
        "list(list(A)).()->list(A) list(dyn).(int)->list(dyn)",
        lists::flatten,
    ),
    ("sort", SORTED, lists::sort),
    ("@sortByAssociatedKeys", SORTED_BY, lists::sort_by_keys),
    ("lists.range", "(int)->list(int)", lists::range),
    ("reverse", "list(A).()->list(A)", lists::reverse),
    ("distinct", "list(A).()->list(A)", lists::distinct),
    ("sets.contains", "(list(A),list(A))->bool", sets::contains),
    (
        "sets.equivalent",
        "(list(A),list(A))->bool",
        sets::equivalent,
    ),
    (
        "sets.intersects",
        "(list(A),list(A))->bool",
        sets::intersects,
    ),
    // Optional values.
    ("optional.of", "(A)->opt(A)", optional::of),
    (
        "optional.ofNonZeroValue",
        "(A)->opt(A)",
        optional::of_non_zero_value,
    ),
    ("optional.none", "()->opt(A)", optional::none),
    ("value", "opt(A).()->A", optional::value),
    ("hasValue", "opt(A).()->bool", optional::has_value),
    ("or", "opt(A).(opt(A))->opt(A)", optional::or),
    ("orValue", "opt(A).(A)->A", optional::or_value),
    ("first", "list(A).()->opt(A)", lists::first),
    ("last", "list(A).()->opt(A)", lists::last),
    (
        "optional.unwrap",
        "(list(opt(A)))->list(A)",
        optional::unwrap,
    ),
    ("unwrapOpt", "list(opt(A)).()->list(A)", optional::unwrap),
    // URLs.
    ("url", "(string)->net.URL", url::url),
    ("isURL", "(string)->bool", url::is_url),
    ("getScheme", "net.URL.()->string", url::scheme),
    ("getHost", "net.URL.()->string", url::host),
    ("getHostname", "net.URL.()->string", url::hostname),
    ("getPort", "net.URL.()->string", url::port),
    ("getEscapedPath", "net.URL.()->string", url::escaped_path),
    (
        "getQuery",
        "net.URL.()->map(string,list(string))",
        url::query,
    ),
    // Addresses.
    ("ip", "(string)->net.IP net.CIDR.()->net.IP", net::ip),
    ("isIP", "(string)->bool", net::is_ip),
    ("ip.isCanonical", "(string)->bool", net::is_canonical),
    ("family", "net.IP.()->int", net::family),
    ("isUnspecified", "net.IP.()->bool", net::is_unspecified),
    ("isLoopback", "net.IP.()->bool", net::is_loopback),
    (
        "isLinkLocalMulticast",
        "net.IP.()->bool",
        net::is_link_local_multicast,
    ),
    (
        "isLinkLocalUnicast",
        "net.IP.()->bool",
        net::is_link_local_unicast,
    ),
    ("isGlobalUnicast", "net.IP.()->bool", net::is_global_unicast),
    ("cidr", "(string)->net.CIDR", net::cidr),
    ("isCIDR", "(string)->bool", net::is_cidr),
    (
        "containsIP",
        "net.CIDR.(string)->bool net.CIDR.(net.IP)->bool",
        net::contains_ip,
    ),
    (
        "containsCIDR",
        "net.CIDR.(string)->bool net.CIDR.(net.CIDR)->bool",
        net::contains_cidr,
    ),
    ("prefixLength", "net.CIDR.()->int", net::prefix_length),
    ("masked", "net.CIDR.()->net.CIDR", net::masked),
    // Quantities and versions.
    (
        "quantity",
        "(string)->kubernetes.Quantity",
        quantity::quantity,
    ),
    ("isQuantity", "(string)->bool", quantity::is_quantity),
    ("sign", "kubernetes.Quantity.()->int", quantity::sign),
    (
        "isGreaterThan",
        "kubernetes.Quantity.(kubernetes.Quantity)->bool \
         kubernetes.Semver.(kubernetes.Semver)->bool",
        quantity::is_greater_than,
    ),
    (
        "isLessThan",
        "kubernetes.Quantity.(kubernetes.Quantity)->bool \
         kubernetes.Semver.(kubernetes.Semver)->bool",
        quantity::is_less_than,
    ),
    (
        "compareTo",
        "kubernetes.Quantity.(kubernetes.Quantity)->int \
         kubernetes.Semver.(kubernetes.Semver)->int",
        quantity::compare_to,
    ),
    (
        "asApproximateFloat",
        "kubernetes.Quantity.()->double",
        quantity::as_approximate_float,
    ),
    (
        "asInteger",
        "kubernetes.Quantity.()->int",
        quantity::as_integer,
    ),
    (
        "isInteger",
        "kubernetes.Quantity.()->bool",
        quantity::is_integer,
    ),
    (
        "add",
        "kubernetes.Quantity.(kubernetes.Quantity)->kubernetes.Quantity \
         kubernetes.Quantity.(int)->kubernetes.Quantity",
        quantity::add,
    ),
    (
        "sub",
        "kubernetes.Quantity.(kubernetes.Quantity)->kubernetes.Quantity \
         kubernetes.Quantity.(int)->kubernetes.Quantity",
        quantity::sub,
    ),
    (
        "semver",
        "(string)->kubernetes.Semver (string,bool)->kubernetes.Semver",
        semver::semver,
    ),
    (
        "isSemver",
        "(string)->bool (string,bool)->bool",
        semver::is_semver,
    ),
    ("major", "kubernetes.Semver.()->int", semver::major),
    ("minor", "kubernetes.Semver.()->int", semver::minor),
    ("patch", "kubernetes.Semver.()->int", semver::patch),
    // Named formats.
    (
        "format.named",
        "(string)->opt(kubernetes.NamedFormat)",
        named_format::named,
    ),
    (
        "validate",
        "kubernetes.NamedFormat.(string)->opt(list(string))",
        named_format::validate,
    ),
    (
        "format.dns1123Label",
        "()->kubernetes.NamedFormat",
        named_format::dns1123_label,
    ),
    (
        "format.dns1123Subdomain",
        "()->kubernetes.NamedFormat",
        named_format::dns1123_subdomain,
    ),
    (
        "format.dns1035Label",
        "()->kubernetes.NamedFormat",
        named_format::dns1035_label,
    ),
    (
        "format.qualifiedName",
        "()->kubernetes.NamedFormat",
        named_format::qualified_name,
    ),
    (
        "format.dns1123LabelPrefix",
        "()->kubernetes.NamedFormat",
        named_format::dns1123_label_prefix,
    ),
    (
        "format.dns1123SubdomainPrefix",
        "()->kubernetes.NamedFormat",
        named_format::dns1123_subdomain_prefix,
    ),
    (
        "format.dns1035LabelPrefix",
        "()->kubernetes.NamedFormat",
        named_format::dns1035_label_prefix,
    ),
    (
        "format.labelValue",
        "()->kubernetes.NamedFormat",
        named_format::label_value,
    ),
    (
        "format.uri",
        "()->kubernetes.NamedFormat",
        named_format::uri,
    ),
    (
        "format.uuid",
        "()->kubernetes.NamedFormat",
        named_format::uuid,
    ),
    (
        "format.byte",
        "()->kubernetes.NamedFormat",
        named_format::byte,
    ),
    (
        "format.date",
        "()->kubernetes.NamedFormat",
        named_format::date,
    ),
    (
        "format.datetime",
        "()->kubernetes.NamedFormat",
        named_format::datetime,
    ),
];

/// The table, read.
pub(crate) fn functions() -> Functions {
    TABLE
        .iter()
        .map(|(name, signatures, run)| {
            let overloads = signatures.split_whitespace().map(overload).collect();
            let run = *run;
            (*name, Function { overloads, run })
        })
        .collect()
}

/// The type that a name stands for in expressions.
pub(crate) fn named_type(name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "null_type" => Type::Null,
        "dyn" => Type::Dyn,
        "list" => Type::list(Type::Dyn),
        "map" => Type::map(Type::Dyn, Type::Dyn),
        "type" => Type::Type(Type::Dyn.into()),
        "optional_type" => Type::optional(Type::Dyn),
        "google.protobuf.Duration" => Type::Duration,
        "google.protobuf.Timestamp" => Type::Timestamp,
        "net.IP" => Type::Opaque("net.IP"),
        "net.CIDR" => Type::Opaque("net.CIDR"),
        "net.URL" => Type::Opaque("net.URL"),
        "kubernetes.URL" => Type::Opaque("kubernetes.URL"),
        "kubernetes.Quantity" => Type::Opaque("kubernetes.Quantity"),
        "kubernetes.Semver" => Type::Opaque("kubernetes.Semver"),
        "kubernetes.NamedFormat" => Type::Opaque("kubernetes.NamedFormat"),
        _ => return None,
    })
}

fn overload(signature: &str) -> Overload {
    let (left, result) = signature
        .rsplit_once("->")
        .expect("every signature has a result");
    let open = matching_open(left);
    let (receiver, args) = (&left[..open], &left[open + 1..left.len() - 1]);
    let receiver = receiver.strip_suffix('.');
    let args = receiver.into_iter().chain(split(args)).map(read).collect();
    Overload {
        is_member: receiver.is_some(),
        args,
        result: read(result),
    }
}

/// Where the bracket opens that the last letter closes.
fn matching_open(text: &str) -> usize {
    let mut depth = 0;
    for (index, byte) in text.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => {
                depth -= 1;
                if depth == 0 {
                    return index;
                }
            }
            _ => {}
        }
    }
    unreachable!("the brackets of the table match, which a test checks")
}

/// The parts between commas outside of brackets.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    text.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    })
    .filter(|part| !part.is_empty())
}

fn read(text: &str) -> Type {
    let Some((name, inner)) = text.split_once('(') else {
        return match text {
            "A" => Type::Param(0),
            "B" => Type::Param(1),
            "duration" => Type::Duration,
            "timestamp" => Type::Timestamp,
            name => named_type(name).expect("the table names known types"),
        };
    };
    let inner = &inner[..inner.len() - 1];
    let mut parts = split(inner).map(read);
    let mut part = || parts.next().expect("the table gives every part");
    match name {
        "list" => Type::list(part()),
        "map" => {
            let key = part();
            Type::map(key, part())
        }
        "opt" => Type::optional(part()),
        "type" => Type::Type(part().into()),
        _ => unreachable!("the table is checked by a test"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let functions = functions();
        assert_eq!(functions.len(), TABLE.len());
        let index = &functions["_[_]"].overloads;
        assert_eq!(index[1].args[0], Type::map(Type::Param(0), Type::Param(1)));
        assert!(functions["join"].overloads[1].is_member);
        assert_eq!(functions["optional.none"].overloads[0].args, []);
    }
}
