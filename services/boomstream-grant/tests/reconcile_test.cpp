// Lanes of a plan. What a plan does otherwise is history_test's business.
#include "domain/moscow_time.hpp"
#include "domain/reconcile.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::boomstream_grant;
using namespace std::chrono_literals;

namespace {

const auto now = base::parse_iso8601("2026-03-01T12:00:00Z").value();

// A course of one lesson, whose video is old, and a student who joined it a week ago.
struct one_lesson
{
    course_book book;
    student anna;

    explicit one_lesson(rule_kind kind, lane named)
    {
        book.course_id = 7;
        book.ends_at = never_ends();
        course_lesson l;
        l.lesson_id = 11;
        l.module_id = 1;
        l.gradable_steps = 2;
        book.lessons.push_back(l);
        media_part part;
        part.boom_media = "MEDIA011";
        part.subscription = "SUB11";
        book.media[11].push_back(part);
        book.media_since[{11, "SUB11"}] = now - std::chrono::hours(24 * 30);
        access_rule rule;
        rule.scope_id = 7;
        rule.kind = kind;
        rule.days = 7;
        book.rules.push_back(rule);

        anna.who.user_id = base::new_uuid();
        anna.who.stepik_user_id = 101;
        anna.who.has_code = true;
        anna.who.code_version = 1;
        anna.who.since = now - std::chrono::hours(24 * 20);
        anna.way = named;
        enrolment e;
        e.joined_at = e.seen_at = now - std::chrono::hours(24 * 7);
        anna.done[7].enrolled = e;
    }

    void pass_it()
    {
        pass p;
        p.before = p.seen_at = now;
        anna.done[7].passed.emplace(11, p);
    }

    plan look() const
    {
        const std::map<std::int64_t, const course_book*> books{{7, &book}};
        return reconcile(anna, books, now, base::new_uuid);
    }

    void has_grant(grant_state state, lane way)
    {
        grant g;
        g.id = base::new_uuid();
        g.course_id = 7;
        g.lesson_id = 11;
        g.subscription = "SUB11";
        g.boom_media = "MEDIA011";
        g.state = state;
        g.way = way;
        anna.grants.push_back(g);
        buyer b;
        b.id = base::new_uuid();
        b.course_id = 7;
        b.subscription = "SUB11";
        b.boom_media = "MEDIA011";
        b.way = way;
        anna.buyers.push_back(b);
    }
};

} // namespace

TEST_CASE("a pass of today is fresh, also when a sweep found it")
{
    one_lesson w(rule_kind::on_pass, lane::backfill);
    w.pass_it();
    const auto p = w.look();
    REQUIRE(p.grants.size() == 1);
    CHECK(p.grants[0].way == lane::fresh);
    REQUIRE(p.buyers.size() == 1);
    CHECK(p.buyers[0].way == lane::fresh);
}

TEST_CASE("a day that came today is fresh, whoever named the student")
{
    const one_lesson w(rule_kind::after_days, lane::backfill);
    const auto p = w.look();
    REQUIRE(p.grants.size() == 1);
    CHECK(p.grants[0].way == lane::fresh);
}

TEST_CASE("what a rule opens to many at once goes behind today's passes")
{
    const one_lesson w(rule_kind::on_enrolment, lane::backfill);
    const auto p = w.look();
    REQUIRE(p.grants.size() == 1);
    CHECK(p.grants[0].way == lane::backfill);
}

TEST_CASE("a grant that waits in the backlog is fresh as soon as today's pass wants it")
{
    for (const auto state : {grant_state::wanted, grant_state::failed}) {
        one_lesson w(rule_kind::on_pass, lane::fresh);
        w.has_grant(state, lane::backfill);
        w.pass_it();
        const auto p = w.look();
        REQUIRE(p.raised.size() == 1);
        CHECK(p.raised[0] == w.anna.grants[0].id);
        REQUIRE(p.hurried.size() == 1); // its call with it
        CHECK(p.hurried[0].way == lane::fresh);
    }
    one_lesson w(rule_kind::on_pass, lane::fresh);
    w.has_grant(grant_state::wanted, lane::fresh);
    w.pass_it();
    CHECK(w.look().raised.empty());
}
