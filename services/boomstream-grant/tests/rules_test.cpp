#include "domain/rules.hpp"

#include "domain/moscow_time.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::boomstream_grant;
using namespace std::chrono_literals;

namespace {

// A course of two modules:  module 1: 11 (theory), 12, 13 · module 2: 21 (theory), 22 (theory), 23
constexpr std::int64_t course_id = 7;
const base::time_point t0 = base::parse_iso8601("2026-03-01T12:00:00Z").value();

course_lesson lesson(std::int64_t id, std::int64_t module, int tasks)
{
    course_lesson l;
    l.lesson_id = id;
    l.module_id = module;
    l.gradable_steps = tasks;
    return l;
}

course_book sample()
{
    course_book b;
    b.course_id = course_id;
    b.default_subscription = "SUB";
    b.ends_at = never_ends();
    b.lessons = {lesson(11, 1, 0), lesson(12, 1, 3), lesson(13, 1, 2), lesson(21, 2, 0), lesson(22, 2, 0),
        lesson(23, 2, 1)};
    for (const auto& l : b.lessons) {
        media_part p;
        p.boom_media = "MEDIA0" + std::to_string(l.lesson_id);
        b.media[l.lesson_id].push_back(p);
        b.media_since[{l.lesson_id, "SUB"}] = t0 - 1000h;
    }
    return b;
}

account student()
{
    account a;
    a.user_id = base::new_uuid();
    a.stepik_user_id = 900000101;
    a.has_code = true;
    a.code_version = 1;
    a.since = t0 - 500h;
    return a;
}

progress enrolled(base::time_point joined = t0 - 100h)
{
    progress p;
    p.enrolled = enrolment{joined, t0 - 100h, false};
    return p;
}

pass passed_at(base::time_point seen, bool backfill = false)
{
    pass p;
    p.after = seen - 5min;
    p.before = seen;
    p.seen_at = seen;
    p.backfill = backfill;
    return p;
}

access_rule rule(rule_scope scope, std::int64_t id, rule_kind kind, int days = 0)
{
    access_rule r;
    r.scope = scope;
    r.scope_id = id;
    r.kind = kind;
    r.days = days;
    return r;
}

struct world
{
    course_book course = sample();
    std::optional<account> who = student();
    progress done = enrolled();
    std::map<std::int64_t, held_lesson> held;
    std::map<std::int64_t, hand> hands;
    base::time_point now = t0;

    lesson_decision of(std::int64_t lesson_id) const
    {
        for (const auto& d : decide(course, who ? &*who : nullptr, done, held, hands, now))
            if (d.lesson_id == lesson_id)
                return d;
        FAIL("no decision about lesson " << lesson_id);
        return {};
    }
};

// One case of the table: how the sample world differs, and what is then said of one lesson.
struct table_row
{
    const char* name;
    std::function<void(world&)> given;
    std::int64_t lesson;
    bool open;
    reason why;
};

void pass_lesson(world& w, std::int64_t id, base::time_point seen = t0 - 1h)
{
    w.done.passed[id] = passed_at(seen);
}

hand word(bool open)
{
    hand h;
    h.open = open;
    h.actor = "anna";
    h.reason = "because";
    h.at = t0 - 1min;
    return h;
}

const std::vector<table_row> table{
    // on_pass
    {"a lesson with tasks opens when it is passed", [](world& w) { pass_lesson(w, 12); }, 12, true,
        reason::passed},
    {"a lesson with tasks is closed before", [](world&) {}, 12, false, reason::not_passed},
    {"passing another lesson does not open it", [](world& w) { pass_lesson(w, 12); }, 13, false,
        reason::not_passed},
    {"on_pass said of a lesson without tasks never opens it",
        [](world& w) { w.course.rules = {rule(rule_scope::lesson, 11, rule_kind::on_pass)}; }, 11, false,
        reason::cannot_be_passed},
    {"on_pass said of the course leaves theory with the lesson before it",
        [](world& w) {
            w.course.rules = {rule(rule_scope::course, course_id, rule_kind::on_pass)};
            pass_lesson(w, 13);
        },
        21, true, reason::with_previous},

    // with_previous, the default for theory
    {"theory at the start of the course opens on enrolment", [](world&) {}, 11, true, reason::enrolled},
    {"theory at the start is closed to who is not enrolled", [](world& w) { w.done = {}; }, 11, false,
        reason::not_enrolled},
    {"theory opens with the lesson before it, across modules", [](world& w) { pass_lesson(w, 13); }, 21, true,
        reason::with_previous},
    {"a chain of theory follows", [](world& w) { pass_lesson(w, 13); }, 22, true, reason::with_previous},
    {"theory is closed while the lesson before it is", [](world& w) { pass_lesson(w, 12); }, 21, false,
        reason::previous_not_open},
    {"a lesson that lost its tasks stays passed",
        [](world& w) {
            w.course.lessons[2].gradable_steps = 0;
            pass_lesson(w, 13);
        },
        13, true, reason::passed},
    {"a vanished lesson is nobody's predecessor",
        [](world& w) {
            w.course.lessons[2].vanished = true;
            pass_lesson(w, 12);
        },
        21, true, reason::with_previous},
    {"with_previous said of a lesson with tasks",
        [](world& w) {
            w.course.rules = {rule(rule_scope::lesson, 13, rule_kind::with_previous)};
            pass_lesson(w, 12);
        },
        13, true, reason::with_previous},
    {"theory follows a lesson opened by hand", [](world& w) { w.hands[13] = word(true); }, 21, true,
        reason::with_previous},
    {"theory does not follow a lesson closed by hand",
        [](world& w) {
            pass_lesson(w, 13);
            w.hands[13] = word(false);
        },
        21, false, reason::previous_not_open},
    {"theory follows a lesson that stays open",
        [](world& w) {
            w.held[13] = {true, t0 - 10h};
        },
        21, true, reason::with_previous},

    // always, on_enrolment
    {"always opens to every account",
        [](world& w) {
            w.course.rules = {rule(rule_scope::lesson, 12, rule_kind::always)};
            w.done = {};
        },
        12, true, reason::always},
    {"always needs no Stepik account",
        [](world& w) {
            w.course.rules = {rule(rule_scope::lesson, 12, rule_kind::always)};
            w.done = {};
            w.who->stepik_user_id.reset();
        },
        12, true, reason::always},
    {"on_enrolment opens to who is enrolled",
        [](world& w) { w.course.rules = {rule(rule_scope::module, 2, rule_kind::on_enrolment)}; }, 23, true,
        reason::enrolled},
    {"on_enrolment is closed to others",
        [](world& w) {
            w.course.rules = {rule(rule_scope::module, 2, rule_kind::on_enrolment)};
            w.done = {};
        },
        23, false, reason::not_enrolled},

    // after_days
    {"after_days is closed before the day",
        [](world& w) { w.course.rules = {rule(rule_scope::lesson, 12, rule_kind::after_days, 5)}; }, 12,
        false, reason::too_early},
    {"after_days opens on the day",
        [](world& w) {
            w.course.rules = {rule(rule_scope::lesson, 12, rule_kind::after_days, 5)};
            w.done = enrolled(t0 - 120h);
        },
        12, true, reason::days_passed},
    {"after 0 days is at once",
        [](world& w) { w.course.rules = {rule(rule_scope::lesson, 12, rule_kind::after_days, 0)}; }, 12, true,
        reason::days_passed},
    {"after_days does not count for who is not enrolled",
        [](world& w) {
            w.course.rules = {rule(rule_scope::lesson, 12, rule_kind::after_days, 0)};
            w.done = {};
        },
        12, false, reason::not_enrolled},

    // manual, orders
    {"manual waits for the author, passed or not",
        [](world& w) {
            w.course.rules = {rule(rule_scope::lesson, 12, rule_kind::manual)};
            pass_lesson(w, 12);
        },
        12, false, reason::waits_for_author},
    {"an order opens what the rule would not", [](world& w) { w.hands[12] = word(true); }, 12, true,
        reason::granted_by_hand},
    {"a closed lesson stays closed though it is passed",
        [](world& w) {
            pass_lesson(w, 12);
            w.hands[12] = word(false);
        },
        12, false, reason::closed_by_hand},
    {"an order opens a lesson the course does not have",
        [](world& w) {
            w.hands[99] = word(true);
            w.course.media[99].push_back({1, "MEDIA099", std::nullopt});
        },
        99, true, reason::granted_by_hand},

    // which rule counts
    {"lesson beats module",
        [](world& w) {
            w.course.rules = {rule(rule_scope::lesson, 23, rule_kind::always),
                rule(rule_scope::module, 2, rule_kind::manual)};
        },
        23, true, reason::always},
    {"module beats course",
        [](world& w) {
            w.course.rules = {rule(rule_scope::course, course_id, rule_kind::manual),
                rule(rule_scope::module, 2, rule_kind::always)};
        },
        23, true, reason::always},
    {"the course's rule reaches every lesson",
        [](world& w) { w.course.rules = {rule(rule_scope::course, course_id, rule_kind::manual)}; }, 11,
        false, reason::waits_for_author},
    {"another module's rule does not",
        [](world& w) { w.course.rules = {rule(rule_scope::module, 1, rule_kind::always)}; }, 23, false,
        reason::not_passed},

    // what is open stays open
    {"a changed rule does not close",
        [](world& w) {
            w.course.rules = {rule(rule_scope::lesson, 12, rule_kind::manual)};
            w.held[12] = {true, t0 - 10h};
        },
        12, true, reason::stays_open},
    {"what is on its way stays wanted",
        [](world& w) {
            w.course.rules = {rule(rule_scope::lesson, 12, rule_kind::manual)};
            w.held[12] = {false, t0 - 10h};
        },
        12, true, reason::stays_open},
    {"an open lesson stays open without its video",
        [](world& w) {
            w.held[12] = {true, t0 - 10h};
            w.course.media.clear();
        },
        12, true, reason::stays_open},
    {"an open lesson stays open in a paused course",
        [](world& w) {
            w.held[12] = {true, t0 - 10h};
            w.course.connected = false;
        },
        12, true, reason::stays_open},
    {"an open lesson stays open when it vanishes",
        [](world& w) {
            w.held[12] = {true, t0 - 10h};
            w.course.lessons[1].vanished = true;
        },
        12, true, reason::stays_open},

    // missing pieces
    {"no account",
        [](world& w) {
            pass_lesson(w, 12);
            w.who.reset();
        },
        12, false, reason::no_account},
    {"no account and not passed: the student's own step comes first", [](world& w) { w.who.reset(); }, 12,
        false, reason::not_passed},
    {"no Stepik account",
        [](world& w) {
            w.who->stepik_user_id.reset();
            w.done = {};
        },
        12, false, reason::no_stepik_account},
    {"no video",
        [](world& w) {
            pass_lesson(w, 12);
            w.course.media.erase(12);
        },
        12, false, reason::no_video},
    {"no subscription",
        [](world& w) {
            pass_lesson(w, 12);
            w.course.default_subscription.reset();
        },
        12, false, reason::no_subscription},
    {"no code",
        [](world& w) {
            pass_lesson(w, 12);
            w.who->has_code = false;
        },
        12, false, reason::no_code},
    {"paused course",
        [](world& w) {
            pass_lesson(w, 12);
            w.course.connected = false;
        },
        12, false, reason::course_paused},
    {"vanished lesson",
        [](world& w) {
            pass_lesson(w, 12);
            w.course.lessons[1].vanished = true;
        },
        12, false, reason::not_in_course},
    {"a missing video does not hide that the lesson is not passed",
        [](world& w) { w.course.media.erase(12); }, 12, false, reason::not_passed},
};

} // namespace

TEST_CASE("the rules, case by case")
{
    for (const auto& row : table) {
        world w;
        row.given(w);
        const auto d = w.of(row.lesson);
        CAPTURE(row.name, to_string(d.why), d.detail);
        CHECK(d.open == row.open);
        CHECK(to_string(d.why) == to_string(row.why));
        CHECK_FALSE(d.detail.empty());
        CHECK(d.wishes.empty() == !(d.open && !d.lacks));
    }
}

TEST_CASE("a day of after_days is named, so that somebody looks again")
{
    world w;
    w.course.rules = {rule(rule_scope::lesson, 13, rule_kind::after_days, 5)};
    const auto day = w.done.enrolled->joined_at + 120h;
    CHECK(w.of(13).opens_at == day);
    CHECK(w.of(13).detail.find(base::to_iso8601(day)) != std::string::npos);
    CHECK(w.of(21).opens_at == day); // what opens with it opens then
}

TEST_CASE("closed by hand says by whom and why")
{
    world w;
    w.hands[12] = word(false);
    CHECK(w.of(12).detail == "closed by anna: because");
}

TEST_CASE("several parts in one subscription are one wish, parts in several are several")
{
    world w;
    pass_lesson(w, 12);
    w.course.media[12] = {{1, "PARTONE1", std::nullopt}, {2, "PARTTWO2", "SUB"}, {3, "PARTTHR3", "OTHER"}};
    w.course.media_since[{12, "OTHER"}] = t0 - 1000h;
    const auto d = w.of(12);
    REQUIRE(d.wishes.size() == 2);
    CHECK(d.wishes[0].subscription == "SUB");
    CHECK(d.wishes[0].boom_media == "PARTONE1");
    CHECK(d.wishes[1].subscription == "OTHER");
    CHECK(d.wishes[1].boom_media == "PARTTHR3");
}

TEST_CASE("a pass of today is fresh and keeps its clocks")
{
    world w;
    pass_lesson(w, 12);
    const auto d = w.of(12);
    REQUIRE(d.wishes.size() == 1);
    CHECK(d.wishes[0].way == lane::fresh);
    CHECK(d.wishes[0].because == cause::on_pass);
    REQUIRE(d.clocks);
    CHECK(d.clocks->seen_at == t0 - 1h);
}

TEST_CASE("backfill: found by the first sweep, or older than the account or the video")
{
    const auto way_of = [](const world& w, std::int64_t id) {
        const auto d = w.of(id);
        REQUIRE(d.wishes.size() == 1);
        CHECK((d.wishes[0].way == lane::backfill) == (d.wishes[0].because == cause::backfill));
        return d.wishes[0].way;
    };
    world w;
    w.done.passed[12] = passed_at(t0 - 1h, true);
    CHECK(way_of(w, 12) == lane::backfill);

    w = world{};
    pass_lesson(w, 12);
    w.who->since = t0 - 30min;
    CHECK(way_of(w, 12) == lane::backfill);

    w = world{};
    pass_lesson(w, 12);
    w.course.media_since[{12, "SUB"}] = t0 - 30min;
    CHECK(way_of(w, 12) == lane::backfill);

    w = world{};
    pass_lesson(w, 12);
    w.course.media_since.clear(); // never seen before: it is new
    CHECK(way_of(w, 12) == lane::backfill);

    w = world{};
    w.done.passed[13] = passed_at(t0 - 1h, true);
    CHECK(way_of(w, 21) == lane::backfill); // what opens with an old pass is as old

    w = world{};
    w.who->since = t0;
    w.hands[12] = word(true);
    const auto d = w.of(12);
    CHECK(d.wishes[0].because == cause::manual); // a person's order never is
    CHECK(d.wishes[0].way == lane::fresh);
}

TEST_CASE("decisions come in course order, and every lesson has one")
{
    world w;
    std::vector<std::int64_t> ids;
    for (const auto& d : decide(w.course, &*w.who, w.done, w.held, w.hands, w.now))
        ids.push_back(d.lesson_id);
    CHECK(ids == std::vector<std::int64_t>{11, 12, 13, 21, 22, 23});
}
