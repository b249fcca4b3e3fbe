// What every service declares of itself, collected at build time from services/*/slice.json and
// services/*/migrations/**.sql: schemas, role, views it reads, events it publishes, queues it consumes.
// `coursegate-ctl migrate`, the daemons and the tests read the same declaration, so a new daemon adds a
// folder and touches nothing.
#pragma once

#include "coursegate/amqp/topology.hpp"
#include "coursegate/db/migrations.hpp"

#include <string>
#include <vector>

namespace coursegate::slices {

struct slice
{
    std::string service;                // "stepik-sync"
    std::vector<std::string> schemas;   // it owns; the first holds outbox, inbox, leases
    std::vector<std::string> reads;     // views of others it may select: "catalog.v_courses"
    std::vector<std::string> publishes; // routing keys: "lesson_passed.v1"
    std::vector<amqp::queue> queues;
    bool redrives = false; // it may read what any service has parked, to show it and to put it back
    std::vector<db::migration> migrations; // of its schemas, in order

    std::string role() const;         // "coursegate_stepik_sync": default login role
    std::string url_variable() const; // "STEPIK_SYNC": suffix of DATABASE_URL_… and AMQP_URL_…
    std::string search_path() const;  // "learning"
};

// Every slice of the build, by service name. A slice does not come after those whose views it reads:
// migrations refer to their own schemas only. Throws std::logic_error naming the file whose declaration is
// wrong.
const std::vector<slice>& all();
const slice& find(const std::string& service); // throws std::logic_error on an unknown name

// The queues of one service, or of all.
amqp::topology topology_of(const slice& s);
amqp::topology whole_topology();

// Migrations of all slices, each slice's own preceded by the built-in one that creates outbox, inbox and
// leases.
std::vector<db::migration> migrations();

// Creates or alters the login roles and grants each exactly what its slice declares: CONNECT, its own
// schemas' tables (rows only: the tables belong to the migrating owner) and sequences, SELECT on the views it
// names in `reads`. What a role had beyond that is revoked, and PUBLIC loses schema public and the database.
// One transaction, idempotent; running daemons notice nothing. A declared view that does not exist is logged
// and left out. Throws std::runtime_error for a role that is superuser or otherwise powerful, or that is the
// owner's own.
struct role_setting
{
    std::string service;
    std::string role;
    std::string password; // empty: the role keeps the one it has
};
void apply_roles(db::session& owner, const std::vector<role_setting>& roles);

} // namespace coursegate::slices
