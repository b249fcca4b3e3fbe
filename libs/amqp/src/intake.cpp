#include "intake.hpp"

#include "declare.hpp"
#include "names.hpp"

#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace coursegate::amqp {

namespace {

using steady = std::chrono::steady_clock;

constexpr std::chrono::seconds sample_interval{15};

metrics::gauge& ready_gauge(const std::string& queue)
{
    return metrics::get_gauge("coursegate_queue_ready", "Messages ready in a queue", {{"queue", queue}});
}

std::string header_of(const message& m, const char* name)
{
    const auto at = m.props.headers.find(name);
    return at == m.props.headers.end() ? std::string{} : at->second;
}

} // namespace

source::source(queue q, const std::string& prefix)
    : wanted(std::move(q)), full(full_name(prefix, wanted.name)), tag(wanted.name), ready(ready_gauge(full)),
      parked(ready_gauge(dead_queue(full))),
      redelivered(metrics::get_counter("coursegate_redeliveries_total",
          "Messages that RabbitMQ may have delivered before", {{"queue", full}})),
      redeclare_({std::chrono::milliseconds(200), std::chrono::milliseconds(5'000)})
{}

void source::touch()
{
    seen_ = steady::now().time_since_epoch().count();
}

void source::prove()
{
    touch();
    proven_ = true;
}

steady::duration source::silence() const
{
    return steady::now().time_since_epoch() - steady::duration(seen_.load());
}

intake::intake(async::executor ex, settings s, topology t, const std::vector<std::string>& names,
    std::function<void(std::vector<item_ptr>)> deliver, std::function<void()> begun,
    std::function<void()> lost)
    : worker(std::move(ex), std::move(s), "consumer"), wanted_(std::move(t)), deliver_(std::move(deliver)),
      begun_(std::move(begun)), lost_(std::move(lost)), cancelled_(executor()),
      unheard_(ready_gauge(unheard_exchange(configuration().prefix)))
{
    for (const auto& name : names) {
        const auto at = std::find_if(
            wanted_.queues.begin(), wanted_.queues.end(), [&](const queue& q) { return q.name == name; });
        if (at == wanted_.queues.end())
            throw std::logic_error("queue " + name + " has handlers but is not in the topology");
        if (!at->dead_letter_route)
            throw std::logic_error("queue " + name + " has no dead-letter route");
        sources_.push_back(std::make_unique<source>(*at, configuration().prefix));
    }
    check_topology(wanted_);
}

void intake::settle(const item& i, bool requeue)
{
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = settlements_.empty(); // else the thread is awake, or about to be
        settlements_.push_back({i.generation, i.content.tag, requeue});
        if (!requeue)
            last_work_ = base::now();
    }
    if (!requeue && is_current(i))
        i.from->prove();
    if (first)
        wake();
}

void intake::redeclare()
{
    {
        const std::lock_guard lock(mutex_);
        redeclare_wanted_ = true;
    }
    wake();
}

std::optional<base::time_point> intake::last_work() const
{
    const std::lock_guard lock(mutex_);
    return last_work_;
}

async::task<void> intake::cancel()
{
    cancel_wanted_ = true;
    wake();
    // The state goes into a variable of its own: g++ 12.2 makes a trap of a condition whose temporary has a
    // destructor when the loop's body awaits.
    for (;;) {
        const bool connected = current().connected;
        if (!connected)
            co_return;
        const bool done = co_await cancelled_.wait_for(std::chrono::milliseconds(200));
        if (done)
            co_return;
    }
}

// The thread
// -------------------------------------------------------------------------------------------------

void intake::serve(connection& c)
{
    const auto mine = ++generation_;
    open_.clear();
    declare_all(c, configuration(), wanted_);
    for (auto& s : sources_)
        begin(c, *s);
    next_sample_ = steady::now();
    ready();
    begun_();
    bool consuming = true;
    for (;;) {
        // Requests first: they may take in frames, which then don't make the socket readable, and drain()
        // finds them.
        if (consuming && !cancel_wanted_) {
            revive(c);
            sample(c);
        }
        c.drain(*this);
        hand_over();
        settle_all(c, mine);
        if (cancel_wanted_ && std::exchange(consuming, false))
            cancel_all(c, mine);
        if (stopping()) {
            settle_all(c, mine);
            return; // the broker takes back what is still open when the connection closes
        }
        if (!anything_to_settle())
            wait_for_work(c.fd(), false, wake_source(), patience(c));
    }
}

void intake::without_connection(bool at_the_end)
{
    if (at_the_end || cancel_wanted_)
        cancelled_.set();
    delivered_.clear();
    for (auto& s : sources_)
        s->consuming_ = false;
    ++generation_;
    lost_();
}

void intake::begin(connection& c, source& s)
{
    c.set_prefetch(s.wanted.prefetch);
    c.consume(s.full, s.tag);
    s.consuming_ = true;
    s.proven_ = false;
    s.touch();
}

void intake::cancel_all(connection& c, std::uint64_t mine)
{
    for (auto& s : sources_)
        if (std::exchange(s->consuming_, false))
            c.cancel(s->tag);
    c.drain(*this); // what came before the broker heard of it goes back at once
    settle_all(c, mine);
    cancelled_.set();
}

// Queues that were deleted under their consumer, or a copy that found no queue: declare again.
void intake::revive(connection& c)
{
    bool all = false;
    {
        const std::lock_guard lock(mutex_);
        all = std::exchange(redeclare_wanted_, false);
    }
    if (all)
        declare_all(c, configuration(), wanted_);
    for (auto& s : sources_) {
        if (s->consuming_ || steady::now() < s->try_again_)
            continue;
        declare_all(c, configuration(), wanted_); // whoever deleted the queue may have deleted more
        begin(c, *s);
        begun_();
        log::info("consuming again from a queue that was deleted", {{"queue", s->full}});
    }
}

void intake::sample(connection& c)
{
    if (steady::now() < next_sample_)
        return;
    next_sample_ = steady::now() + sample_interval;
    const auto look_at = [&](const std::string& name, metrics::gauge& gauge) {
        if (const auto ready = c.ready(name))
            gauge.set(static_cast<double>(*ready));
    };
    for (auto& s : sources_) {
        look_at(s->full, s->ready);
        look_at(dead_queue(s->full), s->parked);
    }
    look_at(unheard_exchange(configuration().prefix), unheard_);
}

void intake::settle_all(connection& c, std::uint64_t mine)
{
    std::vector<settlement> taken;
    {
        const std::lock_guard lock(mutex_);
        taken.swap(settlements_);
    }
    // Tags of an earlier connection mean nothing here: the broker delivers those messages again.
    for (const auto& s : taken)
        if (s.generation == mine)
            open_.settle(s.tag, s.requeue);
    const auto commands = open_.commands();
    if (!commands.empty())
        progressed();
    const bool many = commands.size() > 1;
    if (many)
        c.cork(true);
    for (const auto& command : commands)
        if (command.requeue)
            c.requeue(command.tag, command.multiple);
        else
            c.ack(command.tag, command.multiple);
    if (many)
        c.cork(false);
}

bool intake::anything_to_settle() const
{
    const std::lock_guard lock(mutex_);
    return !settlements_.empty();
}

std::chrono::milliseconds intake::patience(const connection& c) const
{
    const auto now = steady::now();
    auto until = std::min(now + c.heartbeat() / 2, next_sample_);
    for (const auto& s : sources_)
        if (!s->consuming_)
            until = std::min(until, s->try_again_);
    if (cancel_wanted_)
        until = now + c.heartbeat() / 2;
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(until - now), std::chrono::milliseconds(1));
}

void intake::on_delivery(message m)
{
    open_.delivered(m.tag);
    const auto at = std::find_if(
        sources_.begin(), sources_.end(), [&](const auto& s) { return s->tag == m.consumer_tag; });
    if (at == sources_.end() || cancel_wanted_) {
        open_.settle(m.tag, true);
        return;
    }
    auto& s = **at;
    s.redeclare_.reset();
    if (m.redelivered)
        s.redelivered.increment();
    if (m.props.type == probe_type)
        return take_probe(s, m);
    s.touch();
    auto i = std::make_shared<item>();
    i->from = &s;
    i->generation = generation_;
    i->content = std::move(m);
    delivered_.push_back(std::move(i));
}

// Proves that a message published now comes out of the queue now. An old one (left by an instance that is
// gone, or from behind a long backlog) proves nothing.
void intake::take_probe(source& s, const message& m)
{
    open_.settle(m.tag, false);
    const auto sent = base::parse_iso8601(header_of(m, probe_sent_at));
    if (!sent.has_value() || base::now() - *sent > configuration().probe_interval)
        return;
    s.prove();
    const std::lock_guard lock(mutex_);
    last_work_ = base::now();
}

void intake::hand_over()
{
    if (!delivered_.empty())
        deliver_(std::exchange(delivered_, {}));
}

void intake::on_cancel(const std::string& consumer_tag)
{
    for (auto& s : sources_) {
        if (s->tag != consumer_tag)
            continue;
        s->consuming_ = false;
        s->try_again_ = steady::now() + s->redeclare_.next();
        log::warning("a queue was deleted under its consumer", {{"queue", s->full}});
    }
}

} // namespace coursegate::amqp
