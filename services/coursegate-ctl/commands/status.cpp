// status: one screen that says whether the system works and where it does not.
#include "commands/command.hpp"
#include "commands/unheard.hpp"

#include "storage/system_state.hpp"

#include "coursegate/amqp/inspect.hpp"
#include "coursegate/runtime/settings.hpp"
#include "coursegate/slices/slices.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace coursegate::ctl {
namespace {

nlohmann::json to_json(const system_state& s)
{
    nlohmann::json out{{"grants", nlohmann::json::array()}, {"outboxes", nlohmann::json::array()},
        {"courses", nlohmann::json::array()}};
    for (const auto& g : s.grants)
        out["grants"].push_back({{"course_id", g.course_id}, {"state", g.state}, {"count", g.count}});
    for (const auto& o : s.outboxes)
        out["outboxes"].push_back(
            {{"schema", o.schema}, {"waiting", o.waiting}, {"oldest_seconds", o.oldest_seconds}});
    for (const auto& c : s.courses) {
        nlohmann::json course{{"course_id", c.course_id}, {"stepik_ok", c.stepik_ok},
            {"problems", c.stepik_problems}, {"pages_done", c.pages_done},
            {"pages_expected", c.pages_expected}, {"provider_ok", c.provider_ok},
            {"provider_problem", c.provider_problem}, {"waiting_fresh", c.waiting_fresh},
            {"waiting_backfill", c.waiting_backfill}};
        if (c.last_good_sweep)
            course["last_good_sweep_at"] = base::to_iso8601(*c.last_good_sweep);
        out["courses"].push_back(std::move(course));
    }
    return out;
}

std::string listeners(const amqp::topology& t, const std::string& event)
{
    std::string out;
    for (const auto& q : t.queues)
        if (std::find(q.bindings.begin(), q.bindings.end(), event) != q.bindings.end())
            out += (out.empty() ? "" : ", ") + q.name;
    return out;
}

void print(const nlohmann::json& s)
{
    for (const auto& c : s["courses"]) {
        fmt::print("course {}\n", c["course_id"].get<std::int64_t>());
        fmt::print("  stepik      {}, last good sweep {}, page {} of {}\n",
            c["stepik_ok"].get<bool>() ? "ok" : "NOT OK", c.value("last_good_sweep_at", "never"),
            c["pages_done"].get<int>(), c["pages_expected"].get<int>());
        for (const auto& problem : c["problems"])
            fmt::print("              {}\n", problem.get<std::string>());
        fmt::print("  boomstream  {}, waiting: {} fresh, {} backfill\n",
            c["provider_ok"].get<bool>() ? "ok" : "not seen working yet", c["waiting_fresh"].get<int>(),
            c["waiting_backfill"].get<int>());
        if (const auto problem = c["provider_problem"].get<std::string>(); !problem.empty())
            fmt::print("              {}\n", problem);
        for (const auto& g : s["grants"])
            if (g["course_id"] == c["course_id"])
                fmt::print("  grants      {:<10} {}\n", g["state"].get<std::string>(),
                    g["count"].get<std::int64_t>());
    }
    if (s["courses"].empty())
        fmt::print("no course is connected yet\n");
    for (const auto& o : s["outboxes"])
        fmt::print("outbox {:<12} {} waiting, oldest {:.0f} s\n", o["schema"].get<std::string>(),
            o["waiting"].get<std::int64_t>(), o["oldest_seconds"].get<double>());
    for (const auto& q : s["queues"])
        fmt::print("queue {:<26} {:>6} ready {:>6} parked{}\n", q["name"].get<std::string>(),
            q["ready"].get<std::uint64_t>(), q["parked"].get<std::uint64_t>(),
            q["exists"].get<bool>() ? "" : "   MISSING: run coursegate-ctl migrate");
    fmt::print("events that reached no queue: {}\n", s["unheard"].get<std::uint64_t>());
    for (const auto& m : s["missed"])
        fmt::print("    NOT OK: {} × {}, which {} should have got\n", m["count"].get<int>(),
            m["event"].get<std::string>(), m["queues"].get<std::string>());
}

} // namespace

int run_status(runtime::environment& env, const std::vector<std::string>& words)
{
    const arguments args{words, {}, {"--json"}};
    db::settings owner;
    owner.url = env.secret("MIGRATE_DATABASE_URL", "owner of the database");
    owner.application_name = "coursegate-ctl";
    const auto broker = runtime::read_broker(env, "coursegate-ctl");
    env.finish();

    db::session session{owner};
    auto state = to_json(read_system_state(session));
    amqp::inspector inspector{broker};
    state["queues"] = nlohmann::json::array();
    const auto topology = slices::whole_topology();
    bool ok = true;
    for (const auto& q : topology.queues) {
        const auto name = broker.prefix + "." + q.name;
        const auto ready = inspector.depth(name);
        const auto dead = inspector.depth(name + ".dead").value_or(0);
        ok = ok && ready.has_value() && dead == 0;
        state["queues"].push_back({{"name", q.name}, {"exists", ready.has_value()},
            {"ready", ready.value_or(0)}, {"parked", dead}});
    }
    const auto unheard = broker.prefix + ".unheard";
    const auto unheard_count = inspector.depth(unheard).value_or(0);
    state["unheard"] = unheard_count;
    state["missed"] = nlohmann::json::array();
    if (unheard_count > 0)
        for (const auto& [event, count] :
            missed_by_listeners(inspector.peek(unheard, static_cast<std::size_t>(unheard_count)), topology))
        {
            ok = false;
            state["missed"].push_back(
                {{"event", event}, {"count", count}, {"queues", listeners(topology, event)}});
        }
    state["ok"] = ok;
    if (args.has("--json"))
        fmt::print("{}\n", state.dump(2));
    else
        print(state);
    return ok ? 0
              : 3; // for scripts: 3 is parked messages, missing queues, or events that missed their listener
}

} // namespace coursegate::ctl
