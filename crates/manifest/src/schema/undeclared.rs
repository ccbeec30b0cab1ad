//! Members that a schema has no place for: an API server drops them, or refuses them.

use yaml::Value;

use super::{Schema, Type, TypeRef};

impl Schema {
    /// Takes out of `value`, a whole object of this schema, what the schema does not declare, as an
    /// API server does before it stores a custom resource. Gives the places as JSON pointers.
    pub fn take_undeclared(&self, value: &mut Value) -> Vec<String> {
        let mut taken = Vec::new();
        take(value, self.root(), &mut String::new(), &mut taken);
        taken
    }
}

fn take(value: &mut Value, ty: TypeRef<'_>, pointer: &mut String, taken: &mut Vec<String>) {
    let mut within = |token: &str, work: &mut dyn FnMut(&mut String)| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
        work(pointer);
        pointer.truncate(length);
    };
    match (value, ty.ty()) {
        (Value::Map(members), Type::Map(_)) => members.retain(|name, member| {
            let below = ty.member(name);
            within(name, &mut |pointer| match below {
                Some(below) => take(member, below, pointer, taken),
                None => taken.push(pointer.clone()),
            });
            below.is_some()
        }),
        (Value::List(items), Type::List(_)) => {
            let Some(element) = ty.element() else { return };
            for (index, item) in items.iter_mut().enumerate() {
                within(&index.to_string(), &mut |pointer| {
                    take(item, element, pointer, taken);
                });
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use yaml::parse_str;

    use crate::schema::SchemaSet;

    #[test]
    fn what_a_definition_does_not_declare_is_taken_out() {
        let openapi = parse_str(
            "{type: object, properties: {spec: {type: object, properties: {
             a: {type: string}, open: {type: object, x-kubernetes-preserve-unknown-fields: true},
             list: {type: array, items: {type: object, properties: {a: {type: string}}}}}}}}",
        )
        .unwrap();
        let schema = SchemaSet::builtin().custom(&openapi).unwrap();
        let mut object = parse_str(
            "{apiVersion: e.com/v1, kind: A, metadata: {name: a, labels: {x: y}},
              spec: {a: x, open: {any: 1}, list: [{a: x, b/c: y}], manual: {}}}",
        )
        .unwrap();
        let taken = schema.take_undeclared(&mut object);
        assert_eq!(taken, ["/spec/list/0/b~1c", "/spec/manual"]);
        let want = parse_str(
            "{apiVersion: e.com/v1, kind: A, metadata: {name: a, labels: {x: y}},
              spec: {a: x, open: {any: 1}, list: [{a: x}]}}",
        );
        assert_eq!(object, want.unwrap());
    }
}
