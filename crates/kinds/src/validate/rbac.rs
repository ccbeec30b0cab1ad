//! Roles and who has them.

use super::field::Field;

pub(super) fn binding(binding: &Field<'_, '_>) {
    let role = binding.get("roleRef");
    if role.changed() {
        role.invalid("cannot change roleRef");
    }
}
