#include "handlers/call_budget.hpp"

#include "storage/health.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace coursegate::boomstream_grant {

namespace {

constexpr std::chrono::milliseconds slice{50};          // how much of the rate is taken at once
constexpr std::chrono::milliseconds slice_is_good{500}; // then what is left of it is dropped
constexpr std::chrono::milliseconds circuit_pause{250};

} // namespace

call_budget::call_budget(
    db::pool& db, budget_settings s, std::function<std::string()> circuit, std::function<void()> on_free)
    : db_(db), settings_(s), circuit_(std::move(circuit)), on_free_(std::move(on_free))
{}

int call_budget::free_slots(lane way) const
{
    const int all = settings_.concurrency - fresh_ - backfill_;
    if (way == lane::fresh)
        return all;
    if (fresh_waits_)
        return 0;
    const int reserved = settings_.concurrency > 1 ? std::max(1, settings_.concurrency / 4) : 0;
    return std::min(all, settings_.concurrency - reserved - backfill_);
}

async::task<permits> call_budget::take(lane way, int most, bool ask)
{
    permits out;
    out.calls = std::min(most, free_slots(way));
    if (out.calls <= 0) {
        out.calls = 0;
        turned_away_ = true;
        co_return out;
    }
    const auto circuit = circuit_();
    if (circuit == "open" || (circuit == "trial" && in_flight() > 0)) {
        out.calls = 0;
        out.retry_in = circuit_pause;
        co_return out;
    }
    if (circuit == "trial")
        out.calls = 1; // one call finds out whether the host is back

    if (settings_.rate > 0) {
        auto now = steady::now();
        if (now >= tokens_until_)
            tokens_ = 0;
        if (tokens_ == 0 && ask) {
            const auto rate = settings_.rate;
            const int share =
                std::max(1, static_cast<int>(std::ceil(rate * std::chrono::duration<double>(slice).count())));
            const bool urgent = way == lane::fresh;
            auto body = [share, rate, urgent](
                            db::transaction& tx) { return take_calls(tx, share, rate, slice, urgent); };
            const auto got = co_await db_.transact(body);
            now = steady::now();
            if (got.calls > 0) {
                tokens_ += got.calls;
                tokens_from_ = now + got.wait;
                tokens_until_ = tokens_from_ + slice_is_good;
            }
            else if (tokens_ == 0)
                out.retry_in = std::max<std::chrono::microseconds>(got.wait, std::chrono::milliseconds(1));
            out.calls =
                std::min(out.calls, std::max(0, free_slots(way))); // the other lane may have come meanwhile
        }
        if (tokens_ > 0 && now < tokens_from_) // booked, and not to be used before
        {
            out.calls = 0;
            out.retry_in = std::chrono::ceil<std::chrono::microseconds>(tokens_from_ - now);
            co_return out;
        }
        out.calls = std::min(out.calls, tokens_);
        tokens_ -= out.calls;
    }
    (way == lane::fresh ? fresh_ : backfill_) += out.calls;
    co_return out;
}

void call_budget::finished(lane way)
{
    --(way == lane::fresh ? fresh_ : backfill_);
    room();
}

void call_budget::unused(lane way, int calls)
{
    if (calls <= 0)
        return;
    (way == lane::fresh ? fresh_ : backfill_) -= calls;
    if (settings_.rate > 0 && steady::now() < tokens_until_)
        tokens_ += calls;
    room();
}

void call_budget::room()
{
    if (std::exchange(turned_away_, false))
        on_free_();
}

void call_budget::pause(std::chrono::milliseconds d)
{
    tokens_ = 0;
    tokens_from_ = tokens_until_ = steady::now() + d;
}

} // namespace coursegate::boomstream_grant
