// Every event struct of libs/events, without its type: what the contract tests do with one, they do with all.
#pragma once

#include "coursegate/events/access_rule_changed.hpp"
#include "coursegate/events/account_linked.hpp"
#include "coursegate/events/audit_completed.hpp"
#include "coursegate/events/audit_requested.hpp"
#include "coursegate/events/boom_code_rotated.hpp"
#include "coursegate/events/course_connected.hpp"
#include "coursegate/events/course_structure_synced.hpp"
#include "coursegate/events/event.hpp"
#include "coursegate/events/grant_failed.hpp"
#include "coursegate/events/grant_issued.hpp"
#include "coursegate/events/grant_requested.hpp"
#include "coursegate/events/grant_revoke_requested.hpp"
#include "coursegate/events/grant_revoked.hpp"
#include "coursegate/events/lesson_media_changed.hpp"
#include "coursegate/events/lesson_passed.hpp"
#include "coursegate/events/structure_sync_due.hpp"
#include "coursegate/events/student_enrolled.hpp"
#include "coursegate/events/sweep_page_due.hpp"
#include "coursegate/events/sync_completed.hpp"
#include "coursegate/events/sync_requested.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace coursegate::contract {

struct known_event
{
    std::string type;
    std::string routing_key;
    // Reads `data` into the struct and writes it again (and wraps it anew). The error's detail when it is
    // refused.
    std::function<base::result<nlohmann::json>(const nlohmann::json& data)> round_trip;
    std::function<base::result<events::envelope>(const nlohmann::json& data)> rewrap;
};

template <events::event E>
known_event describe()
{
    const auto read = [](const nlohmann::json& data) -> base::result<E> {
        events::envelope around;
        around.data = data.dump();
        return events::unwrap<E>(around);
    };
    known_event out;
    out.type = std::string(E::type);
    out.routing_key = out.type + ".v" + std::to_string(E::version);
    out.round_trip = [read](const nlohmann::json& data) -> base::result<nlohmann::json> {
        const auto e = read(data);
        if (!e.has_value())
            return e.error();
        nlohmann::json written;
        to_json(written, *e);
        return written;
    };
    out.rewrap = [read](const nlohmann::json& data) -> base::result<events::envelope> {
        const auto e = read(data);
        if (!e.has_value())
            return e.error();
        return events::wrap("contract", *e);
    };
    return out;
}

inline const std::vector<known_event>& known_events()
{
    using namespace events;
    static const std::vector<known_event> all{describe<access_rule_changed>(), describe<account_linked>(),
        describe<audit_completed>(), describe<audit_requested>(), describe<boom_code_rotated>(),
        describe<course_connected>(), describe<course_structure_synced>(), describe<grant_failed>(),
        describe<grant_issued>(), describe<grant_requested>(), describe<grant_revoke_requested>(),
        describe<grant_revoked>(), describe<lesson_media_changed>(), describe<lesson_passed>(),
        describe<structure_sync_due>(), describe<student_enrolled>(), describe<sweep_page_due>(),
        describe<sync_completed>(), describe<sync_requested>()};
    return all;
}

} // namespace coursegate::contract
