#include "domain/texts.hpp"
#include "domain/trail.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <set>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace std::chrono_literals;

namespace {

const auto noon = *base::parse_iso8601("2026-03-01T12:00:00Z");

// A student who has done everything but the tasks of the lesson.
trail make_trail()
{
    trail t;
    t.now = noon;
    t.student.user_id = base::new_uuid();
    t.student.email = "anna@example.org";
    t.student.stepik_user_id = 900;
    t.student.has_code = true;
    t.course.id = 247644;
    t.course.title = "Course";
    t.course.state = "connected";
    t.lesson.id = 7;
    t.lesson.title = "Loops";
    t.lesson.gradable_steps = 3;
    lesson previous;
    previous.id = 6;
    previous.title = "Conditions";
    t.previous = previous;
    t.rule.rule = "on_pass";
    t.rule.scope = "default";
    media_part part;
    part.lesson_id = 7;
    part.boom_media = "AAAAAAAA";
    part.subscription_code = "SUB1";
    t.media.push_back(part);
    t.enrolment.emplace();
    t.enrolment->date_joined = noon - 24h * 3;
    t.progress.emplace();
    t.progress->steps_passed = 1;
    t.progress->steps_total = 3;
    t.reading.emplace();
    t.provider.emplace();
    return t;
}

trail_grant& add_grant(trail& t, std::string state, std::string subscription = "SUB1")
{
    trail_grant g;
    g.subscription_code = std::move(subscription);
    g.state = std::move(state);
    t.grants.push_back(g);
    return t.grants.back();
}

struct row
{
    const char* when;
    std::function<void(trail&)> change;
    stage expected;
};

} // namespace

TEST_CASE("a lesson stands at exactly one stage")
{
    const std::vector<row> rows{
        {"tasks are missing", [](trail&) {}, stage::steps_missing},
        {"nothing of the lesson was ever read", [](trail& t) { t.progress.reset(); }, stage::steps_missing},
        {"tasks are missing and Stepik can't be read", [](trail& t) { t.reading->ok = false; },
            stage::stepik_unreadable},
        {"Stepik was never read", [](trail& t) { t.reading.reset(); }, stage::stepik_unreadable},
        {"the lesson is passed", [](trail& t) { t.progress->passed = true; }, stage::being_decided},
        {"a passed lesson does not care whether Stepik can be read now",
            [](trail& t) {
                t.progress->passed = true;
                t.reading->ok = false;
            },
            stage::being_decided},
        {"there is no video", [](trail& t) { t.media.clear(); }, stage::no_video},
        {"there is no subscription", [](trail& t) { t.media[0].subscription_code.reset(); },
            stage::no_subscription},
        {"the course's subscription stands in",
            [](trail& t) {
                t.media[0].subscription_code.reset();
                t.course.default_subscription = "SUB9";
            },
            stage::steps_missing},
        {"there is no account", [](trail& t) { t.student.user_id.reset(); }, stage::no_account},
        {"there is no code", [](trail& t) { t.student.has_code = false; }, stage::no_code},
        {"the account is not linked", [](trail& t) { t.student.stepik_user_id.reset(); },
            stage::no_stepik_account},
        {"the course is paused", [](trail& t) { t.course.state = "paused"; }, stage::course_paused},
        {"the student is not in the course", [](trail& t) { t.enrolment.reset(); }, stage::not_enrolled},
        {"nobody knows whether the student is in the course",
            [](trail& t) {
                t.enrolment.reset();
                t.reading->ok = false;
            },
            stage::stepik_unreadable},
        {"the author opens by hand", [](trail& t) { t.rule.rule = "manual"; }, stage::waits_for_author},
        {"the rule is always", [](trail& t) { t.rule.rule = "always"; }, stage::being_decided},
        {"the rule is on_enrolment", [](trail& t) { t.rule.rule = "on_enrolment"; }, stage::being_decided},
        {"some days have to go by",
            [](trail& t) {
                t.rule.rule = "after_days";
                t.rule.days = 7;
            },
            stage::waits_for_days},
        {"the days went by",
            [](trail& t) {
                t.rule.rule = "after_days";
                t.rule.days = 3;
            },
            stage::being_decided},
        {"it opens with the one before it", [](trail& t) { t.rule.rule = "with_previous"; },
            stage::waits_for_previous},
        {"the one before it was decided to be open",
            [](trail& t) {
                t.rule.rule = "with_previous";
                t.decision.emplace();
                t.decision->open = true;
            },
            stage::being_decided},
        {"it opens with the one before it, and was passed by itself",
            [](trail& t) {
                t.rule.rule = "with_previous";
                t.progress->passed = true;
            },
            stage::being_decided},
        {"an always open lesson asks for no Stepik account",
            [](trail& t) {
                t.rule.rule = "always";
                t.student.stepik_user_id.reset();
                t.enrolment.reset();
            },
            stage::being_decided},
        {"nobody can pass it, and the author wants it passed", [](trail& t) { t.lesson.gradable_steps = 0; },
            stage::cannot_be_passed},
        {"the lesson is gone from Stepik", [](trail& t) { t.lesson.vanished = true; }, stage::not_in_course},
        {"a person closed it before anything was opened",
            [](trail& t) {
                t.decision.emplace();
                t.decision->reason = "closed_by_hand";
                t.decision->detail = "closed by olga: not paid";
            },
            stage::revoked},
        {"a person opened it against the rule, and it is on its way",
            [](trail& t) {
                t.decision.emplace();
                t.decision->open = true;
                t.decision->reason = "granted_by_hand";
            },
            stage::being_decided},
        {"there is none before it",
            [](trail& t) {
                t.rule.rule = "with_previous";
                t.previous.reset();
            },
            stage::being_decided},
        {"the grant is wanted", [](trail& t) { add_grant(t, "wanted"); }, stage::wanted},
        {"the grant is asked", [](trail& t) { add_grant(t, "asked"); }, stage::asked},
        {"the grant failed and is tried again",
            [](trail& t) { add_grant(t, "failed").next_try_at = noon + 5min; }, stage::retrying},
        {"the grant failed for good", [](trail& t) { add_grant(t, "failed"); }, stage::needs_author},
        {"the grant is confirmed", [](trail& t) { add_grant(t, "confirmed"); }, stage::open},
        {"what is open stays open whatever else changed",
            [](trail& t) {
                add_grant(t, "confirmed");
                t.course.state = "paused";
                t.reading->ok = false;
                t.enrolment.reset();
                t.rule.rule = "manual";
            },
            stage::open},
        {"one of two parts is still on its way",
            [](trail& t) {
                t.media.push_back(t.media[0]);
                t.media[1].subscription_code = "SUB2";
                add_grant(t, "confirmed");
                add_grant(t, "asked", "SUB2");
            },
            stage::asked},
        {"the second part was never asked for",
            [](trail& t) {
                t.media.push_back(t.media[0]);
                t.media[1].subscription_code = "SUB2";
                add_grant(t, "confirmed");
                t.progress->passed = true;
            },
            stage::being_decided},
        {"a person closed it",
            [](trail& t) {
                add_grant(t, "revoked");
                t.progress->passed = true;
            },
            stage::revoked},
        {"a person closed it and the video is gone",
            [](trail& t) {
                add_grant(t, "revoked");
                t.media.clear();
            },
            stage::revoked},
    };
    for (const auto& r : rows) {
        auto t = make_trail();
        r.change(t);
        INFO(r.when);
        CHECK(to_string(stage_of(t)) == to_string(r.expected));
        // Whatever the stage, the student is told something in each language, with nothing left to fill in.
        for (const auto* language : {"ru", "uk", "en"}) {
            const auto told = tell_student(t, stage_of(t), language);
            CHECK_FALSE(told.sentence.empty());
            CHECK_FALSE(told.action.empty());
            CHECK((told.sentence + told.action).find_first_of("{}") == std::string::npos);
        }
    }
}

TEST_CASE("the student is told how far it is and where to go on")
{
    auto t = make_trail();
    trail_progress::missing_step step;
    step.step_id = 4711;
    step.position = 4;
    t.progress->missing.push_back(step);
    const auto told = tell_student(t, stage::steps_missing, "en");
    CHECK(told.sentence == "The video opens when all tasks of “Loops” are solved: 1 of 3 so far.");
    CHECK(told.action == "Solve step 4 of this lesson on Stepik.");
    CHECK(told.link == "https://stepik.org/lesson/7/step/4");

    t.progress->missing.front().position.reset();
    const auto vaguer = tell_student(t, stage::steps_missing, "en");
    CHECK(vaguer.action == "Solve the tasks of this lesson on Stepik.");
    CHECK(vaguer.link == "https://stepik.org/lesson/7");
}

TEST_CASE("the student is told who closed a lesson and why")
{
    auto t = make_trail();
    auto& g = add_grant(t, "revoked");
    g.revoked_by = "olga@example.org";
    g.revoke_reason = "copied the solutions";
    CHECK(tell_student(t, stage::revoked, "en").sentence ==
          "Access to the video of “Loops” was closed by olga@example.org: copied the solutions");
    t.grants.clear();
    t.decision.emplace();
    t.decision->reason = "closed_by_hand";
    t.decision->detail = "closed by olga: not paid: twice";
    CHECK(tell_student(t, stage::revoked, "en").sentence ==
          "Access to the video of “Loops” was closed by olga: not paid: twice");
}

TEST_CASE("the student is told when it is tried again, in minutes")
{
    auto t = make_trail();
    add_grant(t, "failed").next_try_at = noon + 4min + 1s;
    CHECK(tell_student(t, stage::retrying, "en").sentence.find("in 5 min") != std::string::npos);
    t.grants[0].next_try_at = noon - 1min;
    CHECK(tell_student(t, stage::retrying, "en").sentence.find("in 1 min") != std::string::npos);
}

TEST_CASE("the student is told the day a lesson opens and the lesson it waits for")
{
    auto t = make_trail();
    t.rule.rule = "after_days";
    t.rule.days = 7;
    CHECK(
        tell_student(t, stage::waits_for_days, "en").sentence == "The video of “Loops” opens on 2026-03-05.");
    const auto waiting = tell_student(t, stage::waits_for_previous, "ru");
    CHECK(waiting.action == "Пройдите урок «Conditions» на Stepik.");
    CHECK(waiting.link == "https://stepik.org/lesson/6");
}

TEST_CASE("a grant that waits while Boomstream is silent says so")
{
    auto t = make_trail();
    add_grant(t, "wanted");
    t.provider->ok = false;
    CHECK(tell_student(t, stage::wanted, "en").sentence.find("Boomstream does not answer") !=
          std::string::npos);
}

TEST_CASE("a title with braces is shown as it is")
{
    auto t = make_trail();
    t.lesson.title = "{total} {x";
    CHECK(tell_student(t, stage::no_video, "en").sentence == "“{total} {x” has no video yet.");
}

TEST_CASE("every text is there in three languages with the same places to fill in")
{
    const auto places = [](std::string_view text) {
        std::set<std::string> out;
        for (auto at = text.find('{'); at != text.npos; at = text.find('{', at + 1))
            out.emplace(text.substr(at, text.find('}', at) - at));
        return out;
    };
    std::set<std::string_view> keys;
    for (const auto& t : all_texts()) {
        INFO(t.key);
        CHECK(keys.insert(t.key).second);
        for (const auto in : t.in) {
            CHECK_FALSE(in.empty());
            CHECK(places(in) == places(t.in[0]));
        }
    }
}

TEST_CASE("the caller's language is the first of ours that he prefers")
{
    CHECK(preferred_language("uk-UA,uk;q=0.9,en;q=0.8") == "uk");
    CHECK(preferred_language("de, en;q=0.3, ru;q=0.7") == "ru");
    CHECK(preferred_language("EN-gb") == "en");
    CHECK_FALSE(preferred_language("de-DE,fr;q=0.5"));
    CHECK_FALSE(preferred_language(""));
    CHECK_FALSE(preferred_language("*"));
    CHECK_FALSE(preferred_language("ru;q=0"));
    CHECK_FALSE(preferred_language("rus"));
    CHECK_FALSE(preferred_language(",;q=,;;,ru;q=x"));
}
