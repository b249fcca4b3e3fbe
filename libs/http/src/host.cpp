#include "host.hpp"

#include "coursegate/log/log.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace coursegate::http {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds addresses_last{30};

} // namespace

host::host(async::executor ex, const url& where, const client_settings& s)
    : executor_(std::move(ex)), where_(where), settings_(s),
      circuit_gauge_(metrics::get_gauge("coursegate_upstream_circuit",
          "Circuit breaker per host: 0 closed, 1 a trial may go, 2 open.", {{"host", where.authority()}}))
{}

async::task<host::slot> host::acquire(time_point deadline)
{
    const auto self = shared_from_this();
    // Not past those who wait, even when one is free.
    if (in_use_ < std::max<std::size_t>(1, settings_.connections_per_host) && room_.is_empty()) {
        ++in_use_;
        co_return slot(self);
    }
    const bool is_called = co_await room_.wait(executor_, deadline);
    co_return is_called ? slot(self) : slot();
}

void host::give_back()
{
    // It goes from hand to hand: in_use_ stays when somebody waits.
    if (!room_.call_first())
        --in_use_;
}

async::task<bool> host::take_turn(time_point deadline)
{
    if (settings_.requests_per_second <= 0)
        co_return true;
    // A token bucket written as the time of the next free token (GCRA): turns are handed out in the order of
    // asking.
    using seconds = std::chrono::duration<double>;
    const auto interval =
        std::chrono::duration_cast<steady_clock::duration>(seconds(1 / settings_.requests_per_second));
    const auto burst = std::max(1.0, settings_.requests_per_second / 10);
    const auto slack = std::chrono::duration_cast<steady_clock::duration>(interval * (burst - 1));
    const auto now = steady_clock::now();
    const auto turn = next_turn_ - slack;
    if (turn > deadline)
        co_return false;
    next_turn_ = std::max(next_turn_, now) + interval;
    if (turn <= now)
        co_return true;
    asio::steady_timer timer(executor_, turn);
    co_await timer.async_wait(asio::use_awaitable);
    co_return true;
}

bool host::may_try() const
{
    return !is_open_ || (!trial_running_ && steady_clock::now() >= open_until_);
}

std::optional<host::attempt> host::begin_try()
{
    if (!may_try())
        return std::nullopt;
    trial_running_ = is_open_;
    show_circuit();
    return std::optional<attempt>(std::in_place, shared_from_this(), is_open_);
}

std::string_view host::circuit() const
{
    if (!is_open_)
        return "closed";
    return trial_running_ || steady_clock::now() >= open_until_ ? "trial" : "open";
}

void host::ended(outcome o, bool was_trial)
{
    if (was_trial)
        trial_running_ = false;
    if (o == outcome::good) {
        failures_ = 0;
        if (is_open_)
            log::info("upstream is back", {{"host", where_.authority()}});
        is_open_ = false;
    }
    else if (o == outcome::bad) {
        ++failures_;
        // What was under way when the circuit opened must not lengthen the pause.
        if (is_open_ ? was_trial : failures_ >= settings_.circuit_after) {
            if (!is_open_)
                log::warning("upstream fails, circuit opened",
                    {{"host", where_.authority()}, {"failures", failures_}});
            is_open_ = true;
            open_until_ = steady_clock::now() + settings_.circuit_open;
        }
    }
    show_circuit();
}

void host::show_circuit()
{
    circuit_gauge_.set(!is_open_ ? 0 : trial_running_ ? 1 : 2);
}

async::task<std::vector<tcp::endpoint>> host::addresses(time_point deadline, std::string& why)
{
    const auto self = shared_from_this();
    error_code ec;
    const auto literal = asio::ip::make_address(where_.host, ec);
    const auto port = static_cast<std::uint16_t>(std::stoi(where_.port));
    if (!ec)
        co_return std::vector<tcp::endpoint>(1, tcp::endpoint(literal, port));
    if (!addresses_.empty() && steady_clock::now() < addresses_until_)
        co_return addresses_;

    // getaddrinfo can't be interrupted: it runs to its end by itself, for all who wait, and each waits no
    // longer than his own deadline.
    if (!resolving_) {
        resolving_ = true;
        const auto resolver = std::make_shared<tcp::resolver>(executor_);
        resolver->async_resolve(where_.host, where_.port, tcp::resolver::numeric_service,
            [self, resolver](error_code failed, const tcp::resolver::results_type& found) {
                self->resolving_ = false;
                self->resolve_error_ = failed ? failed.message() : std::string{};
                self->addresses_.clear();
                for (const auto& entry : found)
                    self->addresses_.push_back(entry.endpoint());
                self->addresses_until_ = steady_clock::now() + addresses_last;
                self->resolve_room_.call_all();
            });
    }
    const bool is_resolved = co_await resolve_room_.wait(executor_, deadline);
    if (!is_resolved)
        co_return std::vector<tcp::endpoint>();
    if (addresses_.empty())
        why = "the name can't be resolved: " + (resolve_error_.empty() ? "no address" : resolve_error_);
    co_return addresses_;
}

std::shared_ptr<transport> host::take_kept()
{
    close_idle();
    while (!kept_.empty()) {
        // The one used last is the least likely to have been closed over there.
        const auto t = std::move(kept_.back().connection);
        kept_.pop_back();
        if (t->is_quiet())
            return t;
        t->close();
    }
    return nullptr;
}

void host::keep(std::shared_ptr<transport> t)
{
    kept_.push_back(kept{std::move(t), steady_clock::now()});
}

void host::close_idle()
{
    const auto oldest = steady_clock::now() - settings_.keep_idle;
    while (!kept_.empty() && kept_.front().since < oldest) {
        kept_.front().connection->close();
        kept_.pop_front();
    }
}

void host::observe(std::string_view outcome, std::chrono::duration<double> took)
{
    auto known = histograms_.find(outcome);
    if (known == histograms_.end()) {
        auto& h = metrics::get_histogram("coursegate_upstream_seconds",
            "Requests to other people's servers, each try by itself, by how it ended.",
            {{"host", where_.authority()}, {"outcome", std::string(outcome)}});
        known = histograms_.emplace(std::string(outcome), &h).first;
    }
    known->second->observe(took);
}

} // namespace coursegate::http
