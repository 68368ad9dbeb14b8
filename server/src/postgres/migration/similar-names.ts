import { sql, type Kysely } from 'kysely'

/**
 * Refuse a new name of a user that differs from another user's in upper and lower case alone: people take the two for one. Users who have such names keep them, so this
 * is a trigger and no unique index. The lock lets two users with such names not be made at the same moment.
 */
export async function refuseSimilarUsers(db: Kysely<unknown>): Promise<void> {
  const statements = [
    sql`create index users_lower_name on users (lower(name))`,
    sql`create function refuse_similar_user() returns trigger language plpgsql as $$
      begin
        perform pg_advisory_xact_lock(hashtext('users.name'));
        if exists (select from users where lower(name) = lower(new.name) and id <> new.id) then
          raise exception 'a user has this name already, or one that differs in case alone'
            using errcode = 'unique_violation';
        end if;
        return new;
      end $$`,
    sql`create trigger user_is_named before insert on users
      for each row execute function refuse_similar_user()`,
    sql`create trigger user_is_renamed before update of name on users
      for each row when (old.name is distinct from new.name) execute function refuse_similar_user()`,
  ]
  for (const statement of statements) await statement.execute(db)
}
