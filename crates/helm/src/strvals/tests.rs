use super::*;

fn run(line: &str, reading: Reading<'_>) -> Result<String, String> {
    let mut values = Values::new();
    apply(line, &mut values, reading)?;
    Ok(Value::Table(values).shown())
}

fn check(line: &str, want: &str) {
    let got = run(line, Reading::Typed);
    assert_eq!(got.unwrap_or_else(|error| error), want, "{line}");
}

#[test]
fn values_get_types() {
    check(
        "a=1,b=true,c=null,d=01,e=x",
        "map[a:1 b:true c:<nil> d:01 e:x]",
    );
    check("a={1,x},b.c[1]=2", "map[a:[1 x] b:map[c:[<nil> 2]]]");
}

#[test]
fn what_is_wrong_is_told_as_helm_tells_it() {
    check("a", "key \"a\" has no value");
    check(
        "a[x]=1",
        "error parsing index: strconv.Atoi: parsing \"x\": invalid syntax",
    );
    check("a={b", "list must terminate with '}'");
    check(
        "a[70000]=1",
        "index of 70000 is greater than maximum supported index of 65536",
    );
}

#[test]
fn a_file_is_asked_for_by_its_name() {
    let read = |name: &str| match name {
        "f" => Ok("text".to_owned()),
        _ => Err(format!("open {name}: no such file or directory")),
    };
    assert_eq!(
        run("a=f", Reading::File(&read)),
        Ok("map[a:text]".to_owned())
    );
    assert!(run("a=g", Reading::File(&read)).is_err());
}

mod any_text {
    use super::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    const N_CASES: u32 = 4_000;
    /// The same texts in every run.
    const SEED: [u8; 32] = [7; 32];

    #[test]
    fn no_line_breaks_the_reader() {
        let config = Config {
            cases: N_CASES,
            failure_persistence: None,
            ..Config::default()
        };
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
        let lines = "[a-c.,={}\\[\\]\\\\0-9\"é -]{0,40}";
        TestRunner::new_with_rng(config, random)
            .run(&lines, |line| {
                let read = |name: &str| Ok(name.to_owned());
                for reading in [
                    Reading::Typed,
                    Reading::Text,
                    Reading::File(&read),
                    Reading::Json,
                    Reading::Literal,
                ] {
                    let _result = run(&line, reading);
                }
                Ok(())
            })
            .expect("no line panics");
    }
}
