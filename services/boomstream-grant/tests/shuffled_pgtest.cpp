// The same as history_test.cpp, with the real thing: every event of a history is delivered twice and in a
// random order, to two instances, in front of a Boomstream that fails a fifth of its calls; each history ends
// as the facts say.
#include "world.hpp"

#include <cstdlib>
#include <iostream>
#include <random>

using namespace coursegate;
using namespace coursegate::boomstream_grant;
using namespace coursegate::boomstream_grant::test;

namespace {

struct told
{
    events::envelope envelope;
    std::string queue;
};

} // namespace

TEST_CASE("shuffled and doubled events end in the same state in the database and at Boomstream")
{
    const char* given = std::getenv("TEST_SEED");
    const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "shuffled events: seed " << seed << " (TEST_SEED=<seed> runs it again)\n";
    std::mt19937_64 random(seed);
    const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    constexpr int students = 120; // each one a history of his own

    world w;
    w.settings.call_deadline = 2000ms;
    w.settings.budget.concurrency = 16;
    w.add_course();
    for (const std::int64_t id : {11, 12, 13, 14})
        w.add_lesson(id);
    w.attach(11, "MEDIA011", "SUB11");
    w.attach(12, "MEDIA012", "SUB12");
    w.attach(13, "MEDIA013");
    w.attach(14, "MEDIA014");

    std::vector<told> all;
    const auto tell = [&](auto e, const char* queue, base::time_point at) {
        told t{events::wrap("test", e), queue};
        t.envelope.time = at;
        all.push_back(t);
        all.push_back(t);
    };
    struct expected
    {
        base::uuid user;
        std::string code;
        std::map<std::int64_t, bool> open; // lessons with a pass or an order
    };
    std::vector<expected> people;
    const auto start = base::now() - 1h;
    for (int i = 0; i < students; ++i) {
        expected p;
        p.code = std::to_string(300000000 + i);
        const std::int64_t stepik = 5000 + i;
        p.user = w.add_user(stepik, p.code);
        events::account_linked linked;
        linked.user_id = p.user;
        tell(linked, "boomstream-grant.changes", start);
        for (const std::int64_t lesson : {11, 12, 13, 14})
            if (below(2) == 0) {
                w.write_pass(stepik, lesson);
                tell(world::pass_event(stepik, lesson), "boomstream-grant.passes", start);
                p.open[lesson] = true;
            }
        if (below(4) == 0) {
            p.code = std::to_string(400000000 + i);
            w.set_code(p.user, p.code);
            events::boom_code_rotated rotated;
            rotated.user_id = p.user;
            tell(rotated, "boomstream-grant.changes", start);
        }
        for (int n = below(4); n > 0; --n) // orders, of which the last one counts
        {
            const std::int64_t lesson = 11 + below(4);
            const auto at = start + std::chrono::seconds(below(1000) * 1000 + n);
            static std::map<std::pair<int, std::int64_t>, base::time_point> last;
            const bool is_grant = below(2) == 0;
            const auto order_of = [&](auto e) {
                e.request_id = base::new_uuid();
                e.user_id = p.user;
                e.course_id = course_id;
                e.lesson_id = lesson;
                e.actor = "anna";
                e.reason = "because";
                tell(e, "boomstream-grant.orders", at);
            };
            if (is_grant)
                order_of(events::grant_requested{});
            else
                order_of(events::grant_revoke_requested{});
            auto& known = last[{i, lesson}];
            if (at > known) {
                known = at;
                p.open[lesson] = is_grant;
            }
        }
        people.push_back(std::move(p));
    }
    std::shuffle(all.begin(), all.end(), random);
    for (int i = 0; i < 400; ++i)
        w.stub.next.push_back(below(5) != 0   ? ugly::none
                              : below(3) == 0 ? ugly::refuse_failed
                              : below(2) == 0 ? ugly::bad_gateway_after
                                              : ugly::cut_before);

    w.play(
        [&]() -> async::task<void> {
            for (const auto& t : all)
                co_await w.deliver_envelope(t.envelope, t.queue, static_cast<std::size_t>(below(2)));
            co_await w.until(
                "every history has come to its end",
                [&] {
                    // Unknown outcomes are read back when their time has run out: now.
                    w.sql("update access.buyers set asked_until = now() where asked_until > now()"
                          " and asked_at < now() - interval '3 seconds'");
                    return w.quiet() &&
                           w.number("select count(*) from access.requests where state = 'pending'") == 0;
                },
                150s);
        },
        2, 180s);

    std::map<std::string, std::set<std::string>> codes; // what should be at Boomstream
    int open = 0;
    const std::map<std::int64_t, std::string> subscriptions{
        {11, "SUB11"}, {12, "SUB12"}, {13, "SBXGROUP"}, {14, "SBXGROUP"}};
    for (const auto& p : people)
        for (const std::int64_t lesson : {11, 12, 13, 14}) {
            const auto it = p.open.find(lesson);
            const auto state = w.state(p.user, lesson);
            CAPTURE(seed, base::to_string(p.user), lesson);
            if (it != p.open.end() && it->second) {
                CHECK(state == "confirmed");
                codes[subscriptions.at(lesson)].insert(p.code);
                ++open;
            }
            else
                CHECK((state.empty() || state == "revoked"));
        }
    CHECK(w.number("select count(*) from access.grants where state = 'confirmed'") == open);
    for (const auto& [subscription, wanted] : codes) {
        std::set<std::string> there;
        for (const auto& [code, b] : w.stub.buyers[subscription])
            there.insert(code);
        CAPTURE(seed, subscription);
        CHECK(there == wanted);
    }
    // Each time a grant became confirmed it said so once; between two times it was revoked.
    CHECK(w.outbox("grant_issued") >= open);
    CHECK(w.number("select count(*) from (select body::jsonb->'data'->>'grant_id' as id, count(*) filter "
                   "(where type = 'grant_issued')"
                   " as issued, count(*) filter (where type = 'grant_revoked') as revoked from access.outbox "
                   "group by 1) e"
                   " join access.grants g on g.grant_id = e.id::uuid"
                   " where g.state = 'confirmed' and (issued < 1 or issued > revoked + 1)") == 0);
}
