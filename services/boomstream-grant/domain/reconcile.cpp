#include "domain/reconcile.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace coursegate::boomstream_grant {

namespace {

// A grant as it will be when the plan is carried out.
struct work
{
    base::uuid id{};
    std::int64_t course_id = 0;
    std::int64_t lesson_id = 0;
    std::string subscription;
    std::string boom_media;
    grant_state state = grant_state::wanted;
    bool closing = false;
    lane way = lane::fresh;
    bool gone = false;    // withdrawn
    bool is_new = false;  // inserted by this plan
    bool retried = false; // a person's change makes it worth asking again
    bool wants_reopen = false;
    bool to_close = false;  // confirmed, and a person closed it just now
    std::string actor, why; // of to_close and closing
    std::string provider_reason;
    bool waits = false; // failed without a next try

    bool active() const { return !gone && !closing && !to_close && state != grant_state::revoked; }
    bool needs_buyer() const
    {
        return active() && (state == grant_state::wanted || state == grant_state::failed);
    }
};

work from(const grant& g)
{
    work w;
    w.id = g.id;
    w.course_id = g.course_id;
    w.lesson_id = g.lesson_id;
    w.subscription = g.subscription;
    w.boom_media = g.boom_media;
    w.state = g.state;
    w.closing = g.closing;
    w.way = g.way;
    w.actor = g.revoked_by;
    w.why = g.revoke_reason;
    w.provider_reason = g.provider_reason;
    w.waits = g.state == grant_state::failed && !g.next_try_at;
    return w;
}

using lesson_key = std::pair<std::int64_t, std::int64_t>; // (course, lesson)

// The last order of each lesson, by the time the person gave it.
std::map<lesson_key, const order*> last_orders(const std::vector<order>& all)
{
    std::map<lesson_key, const order*> out;
    for (const auto& o : all) {
        auto& last = out[{o.course_id, o.lesson_id}];
        if (!last || std::tie(last->at, last->request_id) < std::tie(o.at, o.request_id))
            last = &o;
    }
    return out;
}

class planner
{
public:
    planner(const student& s, const std::map<std::int64_t, const course_book*>& books, base::time_point now,
        const std::function<base::uuid()>& new_id)
        : student_(s), books_(books), now_(now), new_id_(new_id), last_(last_orders(s.orders))
    {
        grants_.reserve(s.grants.size() + 8);
        for (const auto& g : s.grants)
            grants_.push_back(from(g));
    }

    plan run()
    {
        for (const auto& [id, book] : books_)
            lessons_of(*book);
        std::set<std::string> subscriptions;
        for (const auto& g : grants_)
            subscriptions.insert(g.subscription);
        for (const auto& b : student_.buyers)
            subscriptions.insert(b.subscription);
        for (const auto& code : subscriptions)
            buyers_of(code);
        write_new_grants();
        for (const auto& o : student_.orders)
            if (o.pending)
                answer(o);
        return std::move(plan_);
    }

private:
    // --- Grants, lesson by lesson ---

    void lessons_of(const course_book& book)
    {
        std::map<std::int64_t, held_lesson> held;
        std::map<std::int64_t, hand> hands;
        for (const auto& g : student_.grants) {
            if (g.course_id != book.course_id)
                continue;
            if (g.state == grant_state::revoked || g.closing) {
                // Sticky: without a word of a person after it, it stays as the person left it.
                auto& h = hands[g.lesson_id];
                h.open = false;
                h.actor = g.revoked_by;
                h.reason = g.revoke_reason;
                continue;
            }
            auto [it, first] = held.try_emplace(g.lesson_id, held_lesson{false, g.wanted_at});
            it->second.confirmed = it->second.confirmed || g.state == grant_state::confirmed;
            it->second.since = std::min(it->second.since, g.wanted_at);
        }
        for (const auto& [key, o] : last_)
            if (key.first == book.course_id)
                hands[key.second] = hand{o->grant, o->actor, o->reason, o->at};

        static const progress nothing;
        const auto done = student_.done.find(book.course_id);
        const auto decisions = decide(
            book, &student_.who, done == student_.done.end() ? nothing : done->second, held, hands, now_);
        for (const auto& d : decisions) {
            say(book.course_id, d);
            if (d.opens_at && *d.opens_at > now_ &&
                (!plan_.look_again_at || *d.opens_at < *plan_.look_again_at))
                plan_.look_again_at = d.opens_at;
            const auto h = hands.find(d.lesson_id);
            if (d.why == reason::closed_by_hand)
                close_lesson(book.course_id, h->second, d);
            else
                open_lesson(book.course_id, h == hands.end() ? nullptr : &h->second, d);
            decided_.emplace(lesson_key{book.course_id, d.lesson_id}, d);
        }
    }

    void say(std::int64_t course_id, const lesson_decision& d)
    {
        said now{d.open, std::string(to_string(d.why)), d.detail};
        const auto before = student_.decisions.find({course_id, d.lesson_id});
        if (before != student_.decisions.end() && before->second == now)
            return;
        plan_.decisions.push_back({course_id, d.lesson_id, std::move(now)});
    }

    std::vector<std::size_t> grants_of(std::int64_t course_id, std::int64_t lesson_id) const
    {
        std::vector<std::size_t> out;
        for (std::size_t i = 0; i < grants_.size(); ++i)
            if (grants_[i].course_id == course_id && grants_[i].lesson_id == lesson_id)
                out.push_back(i);
        return out;
    }

    void close_lesson(std::int64_t course_id, const hand& h, const lesson_decision& d)
    {
        for (const auto i : grants_of(course_id, d.lesson_id)) {
            auto& g = grants_[i];
            if (g.state == grant_state::revoked || g.closing)
                continue;
            if (g.state == grant_state::asked)
                continue; // the call before it must be known first; its outcome names the student again
            g.actor = h.actor;
            g.why = h.reason;
            if (g.state == grant_state::confirmed)
                g.to_close = true;
            else {
                g.state = grant_state::revoked;
                plan_.revoked.push_back({g.id, h.actor, h.reason});
            }
        }
    }

    void open_lesson(std::int64_t course_id, const hand* h, const lesson_decision& d)
    {
        const auto mine = grants_of(course_id, d.lesson_id);
        for (const auto& w : d.wishes) {
            const auto it = std::find_if(mine.begin(), mine.end(),
                [&](std::size_t i) { return grants_[i].subscription == w.subscription; });
            if (it == mine.end())
                add_grant(course_id, d, w);
            else
                keep_grant(grants_[*it], w, h, student_.grants[*it]);
        }

        const bool without_video = d.lacks == reason::no_video || d.lacks == reason::no_subscription;
        if (!without_video && (d.lacks || !d.open))
            return;
        for (const auto i : mine) {
            auto& g = grants_[i];
            const bool wished = std::any_of(d.wishes.begin(), d.wishes.end(),
                [&](const wish& w) { return w.subscription == g.subscription; });
            if (!wished && (g.state == grant_state::wanted || g.state == grant_state::failed)) {
                g.gone = true;
                plan_.withdrawn.push_back(g.id);
            }
        }
    }

    // A pass of today and a day that has come are urgent, whoever named the student. The other rules open to
    // many at once when the author changes something; such students are named in the backfill lane.
    lane lane_of(const wish& w) const
    {
        if (w.because == cause::on_pass || w.because == cause::after_days)
            return w.way;
        return student_.way == lane::backfill ? lane::backfill : w.way;
    }

    void add_grant(std::int64_t course_id, const lesson_decision& d, const wish& w)
    {
        work g;
        g.id = new_id_();
        g.course_id = course_id;
        g.lesson_id = d.lesson_id;
        g.subscription = w.subscription;
        g.boom_media = w.boom_media;
        g.way = lane_of(w);
        g.is_new = true;
        grants_.push_back(g);
        new_grant out;
        out.id = g.id;
        out.course_id = course_id;
        out.lesson_id = d.lesson_id;
        out.subscription = w.subscription;
        out.boom_media = w.boom_media;
        out.because = w.because;
        out.way = g.way;
        out.clocks = d.clocks;
        new_.push_back(std::move(out));
    }

    void keep_grant(work& g, const wish& w, const hand* h, const grant& before)
    {
        switch (g.state) {
        case grant_state::confirmed:
            g.wants_reopen = g.closing;
            return;
        case grant_state::asked:
            return;
        case grant_state::revoked:
            // Only reached when a person's last word is to open it: everything else is closed_by_hand.
            g.state = grant_state::wanted;
            g.way = lane::fresh;
            g.boom_media = w.boom_media;
            g.retried = true;
            plan_.granted_again.push_back(g.id);
            if (before.boom_media != w.boom_media)
                plan_.remedies.push_back({g.id, w.boom_media});
            return;
        case grant_state::wanted:
        case grant_state::failed:
            break;
        }
        if (g.way == lane::backfill && lane_of(w) == lane::fresh) {
            g.way = lane::fresh;
            plan_.raised.push_back(g.id);
        }
        const bool other_video = g.boom_media != w.boom_media;
        if (other_video) {
            g.boom_media = w.boom_media;
            plan_.remedies.push_back({g.id, w.boom_media});
        }
        const bool ordered_since = h && h->open && before.failed_at && h->at > *before.failed_at;
        if (g.state == grant_state::failed && (other_video || ordered_since))
            try_again(g);
    }

    void try_again(work& g)
    {
        g.state = grant_state::wanted;
        g.retried = true;
        g.waits = false;
        plan_.tried_again.push_back(g.id);
    }

    // --- Buyers, subscription by subscription ---

    void buyers_of(const std::string& code)
    {
        const buyer* live = nullptr;
        const buyer* pending = nullptr; // wanted or asked
        const buyer* closing = nullptr; // one that could still be kept
        bool in_flight = false;
        bool any = false;
        for (const auto& b : student_.buyers) {
            if (b.subscription != code)
                continue;
            any = true;
            in_flight = in_flight || b.in_flight;
            if (b.state == buyer_state::live)
                live = &b;
            else if (b.state == buyer_state::closing) {
                if (!b.in_flight && b.code_version == student_.who.code_version)
                    closing = &b;
            }
            else
                pending = &b;
        }
        std::vector<work*> mine;
        for (auto& g : grants_)
            if (g.subscription == code)
                mine.push_back(&g);

        const bool wished = std::any_of(
            mine.begin(), mine.end(), [](const work* g) { return g->active() || g->wants_reopen; });
        if (!wished)
            return close_door(live, pending, any, mine);

        const bool has_code = student_.who.has_code;
        const bool outdated = live && has_code && live->code_version != student_.who.code_version;
        const bool not_asked = pending && pending->state == buyer_state::wanted && !pending->in_flight;
        if (!live && (!pending || not_asked) && closing && has_code) {
            if (pending)
                plan_.buyers_to_drop.push_back(pending->id);
            pending = nullptr;
            plan_.buyers_to_reopen.push_back(closing->id);
            live = closing;
        }

        if (live) {
            for (auto* g : mine)
                if (g->needs_buyer()) {
                    g->state = grant_state::confirmed;
                    plan_.confirmed.push_back({g->id, live->id});
                }
                else if (g->wants_reopen) {
                    g->closing = false;
                    plan_.reopened.push_back(g->id);
                }
            if (outdated && !pending)
                add_buyer(code, mine, lane::fresh, in_flight);
        }
        else if (!pending && std::any_of(mine.begin(), mine.end(), [](const work* g) { return g->active(); }))
            add_buyer(code, mine, lane::backfill, in_flight);

        if (pending && pending->state == buyer_state::wanted && !pending->in_flight)
            hurry(*pending, mine, outdated);

        // Another lesson keeps the buyer, so closing this one is nothing Boomstream has to be told.
        if (live || pending || !any)
            for (auto* g : mine)
                if (g->to_close || (g->closing && !g->wants_reopen && live))
                    revoke_now(*g);
        close_later(mine);
    }

    void close_door(const buyer* live, const buyer* pending, bool any, const std::vector<work*>& mine)
    {
        if (live)
            plan_.buyers_to_close.push_back(live->id);
        bool still_there = any;
        if (pending && pending->state == buyer_state::wanted && !pending->in_flight) {
            plan_.buyers_to_drop.push_back(pending->id);
            // Dropped and nothing else there: Boomstream has no buyer of this student.
            still_there = std::any_of(student_.buyers.begin(), student_.buyers.end(), [&](const buyer& b) {
                return b.subscription == pending->subscription && b.id != pending->id;
            });
        }
        for (auto* g : mine)
            if ((g->to_close || g->closing) && !still_there)
                revoke_now(*g);
        close_later(mine);
    }

    void revoke_now(work& g)
    {
        g.state = grant_state::revoked;
        g.closing = g.to_close = false;
        plan_.revoked.push_back({g.id, g.actor, g.why});
    }

    void close_later(const std::vector<work*>& mine)
    {
        for (auto* g : mine)
            if (g->to_close) {
                g->to_close = false;
                g->closing = true;
                plan_.closings.push_back({g->id, g->actor, g->why});
            }
    }

    void add_buyer(const std::string& code, const std::vector<work*>& mine, lane way, bool in_flight)
    {
        new_buyer out;
        out.id = new_id_();
        out.subscription = code;
        out.way = way;
        out.free = !in_flight;
        const work* first = nullptr;
        for (const auto* g : mine) {
            if (g->needs_buyer())
                out.way = urgent(out.way, g->way);
            if (g->active() && (!first || (!first->needs_buyer() && g->needs_buyer())))
                first = g;
        }
        if (!first)
            return;
        out.course_id = first->course_id;
        out.boom_media = first->boom_media;
        const auto book = books_.find(out.course_id);
        if (book == books_.end())
            return; // its course is not known to the catalog any more: there is no key to ask with
        out.ends_at = book->second->ends_at;
        plan_.buyers.push_back(std::move(out));
    }

    // A buyer that waits for its call, or for a person.
    void hurry(const buyer& b, const std::vector<work*>& mine, bool outdated)
    {
        plan::urgency out;
        out.buyer_id = b.id;
        out.way = b.way;
        out.boom_media = b.boom_media;
        const work* chosen = nullptr;
        for (const auto* g : mine) {
            if (!g->needs_buyer())
                continue;
            out.way = urgent(out.way, g->way);
            if (g->is_new || g->retried) {
                out.now = out.now || g->retried || b.waits;
                chosen = chosen ? chosen : g;
            }
        }
        if (chosen)
            out.boom_media = chosen->boom_media;
        if (b.waits && b.code_version != student_.who.code_version && student_.who.has_code)
            out.now = true; // refused with the old code
        if (outdated)
            out.way = lane::fresh;
        if (out.now)
            for (auto* g : mine)
                if (g->active() && g->state == grant_state::failed)
                    try_again(*g);
        if (out.now || out.way != b.way || out.boom_media != b.boom_media)
            plan_.hurried.push_back(std::move(out));
    }

    void write_new_grants()
    {
        for (auto& n : new_)
            plan_.grants.push_back(std::move(n));
    }

    // --- Answers to orders ---

    void answer(const order& o)
    {
        const lesson_key key{o.course_id, o.lesson_id};
        if (!books_.contains(o.course_id))
            return reply(o, "refused", "The course is not connected here.");
        if (last_.at(key) != &o)
            return reply(o, "refused", "A later order for the same lesson took its place.");
        if (o.grant)
            answer_grant(o, key);
        else
            answer_revoke(o, key);
    }

    void answer_grant(const order& o, const lesson_key& key)
    {
        const auto d = decided_.find(key);
        if (d == decided_.end())
            return reply(o, "pending", "");
        if (d->second.lacks)
            return reply(o, "pending", "Kept; it takes effect later. " + d->second.detail);
        bool all = true;
        for (const auto i : grants_of(key.first, key.second)) {
            const auto& g = grants_[i];
            if (g.gone)
                continue;
            if (g.state == grant_state::failed && g.waits)
                return reply(o, "refused", "Boomstream refused it: " + g.provider_reason);
            all = all && g.state == grant_state::confirmed && !g.closing;
        }
        reply(o, all ? "done" : "pending", all ? "Open." : "Boomstream is being asked.");
    }

    void answer_revoke(const order& o, const lesson_key& key)
    {
        for (const auto i : grants_of(key.first, key.second)) {
            const auto& g = grants_[i];
            if (g.state == grant_state::asked)
                return reply(o, "pending", "Waits for the call to Boomstream that is on its way.");
            if (g.closing)
                return reply(o, "pending", "Closed here; Boomstream is being told.");
        }
        reply(o, "done", "Closed.");
    }

    void reply(const order& o, std::string state, std::string detail)
    {
        plan_.answers.push_back({o.request_id, std::move(state), std::move(detail)});
    }

    const student& student_;
    const std::map<std::int64_t, const course_book*>& books_;
    base::time_point now_;
    const std::function<base::uuid()>& new_id_;
    std::map<lesson_key, const order*> last_;
    std::vector<work> grants_; // the student's own first, in their order, then new ones
    std::vector<new_grant> new_;
    std::map<lesson_key, lesson_decision> decided_;
    plan plan_;
};

} // namespace

plan reconcile(const student& s, const std::map<std::int64_t, const course_book*>& books,
    base::time_point now, const std::function<base::uuid()>& new_id)
{
    return planner(s, books, now, new_id).run();
}

} // namespace coursegate::boomstream_grant
