//! A user is about to be deleted: what becomes of the organizations.

use deadpool_postgres::GenericClient;
use uuid::Uuid;

use super::{
    refusals::ONLY_OWNER,
    store::{members, organizations as store, teams},
};
use crate::{app::App, error::Result};

/// Takes a user out of every organization, before the user's row is deleted. An organization in which nobody else is
/// goes with the user; one in which others are keeps an owner, or the user stays (OR-08, OR-18).
///
/// # Errors
/// `YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER`; those of Postgres.
pub async fn part(app: &App, conn: &impl GenericClient, user: Uuid) -> Result<()> {
    let role = &app.config.organization.creator_role;
    for organization in store::lock_of_user(conn, user).await? {
        let id = organization.id;
        if members::count(conn, id).await? <= 1 {
            store::delete(conn, id).await?;
            continue;
        }
        let owners = members::count_holders(conn, id, role).await?;
        members::delete(conn, id, user).await?;
        if owners > 0 && members::count_holders(conn, id, role).await? == 0 {
            return Err(ONLY_OWNER.into());
        }
        teams::leave_all(conn, id, user).await?;
    }
    Ok(())
}
