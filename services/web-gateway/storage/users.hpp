// accounts.users. Every write here is one change with its audit row and its event, in the caller's
// transaction.
#pragma once

#include "domain/principal.hpp"
#include "domain/user.hpp"

#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"

#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct created_user
{
    web_gateway::user user;
    std::optional<base::secret> generated_code{}; // only where we made it up: shown once, in the answer
};

// Throws `refused` (duplicate) naming email, stepik_user_id or boom_code.
created_user create_user(db::transaction& tx, const base::keyring& keys, const act& by, const new_user& wish);

// Throws `refused`: user_not_found (id); duplicate naming the field. Nothing different: no audit row, no
// event.
user change_user(db::transaction& tx, const act& by, const base::uuid& id, const user_changes& changes);

// A new code; the old one stops to be ours at once, whoever signed in with it is signed out, and
// boomstream-grant moves the student's buyers. Throws `refused`: user_not_found (id).
created_user rotate_code(db::transaction& tx, const base::keyring& keys, const act& by, const base::uuid& id);

std::optional<user> find_user(db::transaction& tx, const base::uuid& id);
std::optional<user> find_user_by_email(db::transaction& tx, const std::string& email);
std::optional<user> find_user_by_stepik_id(db::transaction& tx, std::int64_t stepik_user_id);

// `who` is a user's id or e-mail. Throws `refused`: user_not_found or invalid_value naming `field`.
user user_named(db::transaction& tx, const std::string& who, const std::string& field);

// The Boomstream code itself, for the player's address and nothing else. Nothing without a code. Throws
// std::runtime_error naming the user where our keys don't open its box.
std::optional<base::secret> boom_code_of(
    db::transaction& tx, const base::keyring& keys, const base::uuid& id);

struct user_filter
{
    std::optional<std::string> email{}; // exact, whatever its case
    std::optional<std::int64_t> stepik_user_id{};
    std::optional<std::string> words{}; // part of e-mail or name
    std::optional<base::uuid> after{};  // ids are ordered by time of creation
    int limit = 50;
};
std::vector<user> list_users(db::transaction& tx, const user_filter& filter);

// Where a race was lost between looking and writing: the refusal that looking would have given, or nothing
// when `constraint` is not one of a person's input.
std::optional<std::string> field_of_constraint(const std::string& constraint);

} // namespace coursegate::web_gateway
