#include "connection.hpp"

#include "access.hpp"
#include "conninfo.hpp"
#include "coursegate/base/backoff.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"
#include "faults.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <optional>
#include <thread>

// How libpqxx turns a parameter into text.
template <>
struct pqxx::string_traits<coursegate::db::param>
{
    static constexpr const char* name() noexcept { return "coursegate::db::param"; }
    static constexpr bool has_null() noexcept { return true; }
    static bool is_null(const coursegate::db::param& p) { return !p.text().has_value(); }
    static std::string to_string(const coursegate::db::param& p) { return *p.text(); }
};

#ifdef __SANITIZE_ADDRESS__
// libpqxx 6.4 forgets one PGresult whenever a connection breaks under a statement
// (connection_base::make_result throws before it owns it). Two kilobytes per lost connection; every other
// leak is reported.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions()
{
    return "leak:libpqxx-6.4.so\n";
}
#endif

namespace coursegate::db {

namespace {

using steady = std::chrono::steady_clock;

constexpr auto retry_for = std::chrono::seconds(3);
constexpr auto grace_beyond_timeout = std::chrono::seconds(10);

void count_retry(const char* reason)
{
    metrics::get_counter(
        "coursegate_db_retries_total", "Transactions run again, by reason", {{"reason", reason}})
        .increment();
}

metrics::histogram& transaction_seconds()
{
    static auto& h = metrics::get_histogram("coursegate_db_transaction_seconds",
        "From BEGIN to COMMIT, retries included, without waiting for a connection");
    return h;
}

// Measures one statement whichever way it ends: those that run into statement_timeout are the slowest of all.
class timed_statement
{
public:
    timed_statement(metrics::histogram& seconds, std::chrono::milliseconds slow, std::string_view query)
        : seconds_(seconds), slow_(slow), query_(query)
    {}
    ~timed_statement()
    {
        const auto took = steady::now() - began_;
        seconds_.observe(took);
        if (took < slow_)
            return;
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
        if (rows_)
            log::warning("slow statement", {{"query", query_}, {"ms", ms}, {"rows", *rows_}});
        else
            log::warning("slow statement", {{"query", query_}, {"ms", ms}, {"failed", true}});
    }
    timed_statement(const timed_statement&) = delete;

    void succeeded(std::int64_t rows) { rows_ = rows; }

private:
    metrics::histogram& seconds_;
    std::chrono::milliseconds slow_;
    std::string_view query_;
    std::optional<std::int64_t> rows_;
    steady::time_point began_ = steady::now();
};

} // namespace

// Marks the time in which the thread waits for the server.
class connection::round_trip
{
public:
    explicit round_trip(connection& c) : since_(c.waiting_since_)
    {
        since_.store(steady::now().time_since_epoch().count(), std::memory_order_relaxed);
    }
    ~round_trip() { since_.store(0, std::memory_order_relaxed); }
    round_trip(const round_trip&) = delete;

private:
    std::atomic<std::int64_t>& since_;
};

connection::connection(const settings& s, const attachments* attached)
    : options_(connection_string(s)), attached_(attached), slow_(s.slow),
      stuck_after_(s.statement_timeout.count() > 0 ? s.statement_timeout + grace_beyond_timeout
                                                   : std::chrono::milliseconds(0))
{}

connection::~connection()
{
    drop();
}

pqxx::connection& connection::open()
{
    if (open_)
        return *open_;

    auto fresh = std::make_unique<pqxx::connection>(options_);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    fresh->inhibit_reactivation(true);
#pragma GCC diagnostic pop
    fresh->set_verbosity(pqxx::connection_base::verbose); // carries the constraint's name in every language

    const std::lock_guard lock(socket_mutex_);
    socket_ = fresh->sock();
    open_ = std::move(fresh);
    return *open_;
}

void connection::drop() noexcept
{
    const std::lock_guard lock(socket_mutex_);
    socket_ = -1;
    open_.reset();
}

bool connection::sever_if_stuck()
{
    const auto since = waiting_since_.load(std::memory_order_relaxed);
    if (stuck_after_.count() == 0 || since == 0)
        return false;
    const auto waited = steady::now() - steady::time_point(steady::duration(since));
    if (waited < stuck_after_)
        return false;
    const std::lock_guard lock(socket_mutex_);
    // A new round trip may have begun meanwhile: it loses its connection and is tried again.
    return socket_ >= 0 && ::shutdown(socket_, SHUT_RDWR) == 0;
}

connection::prepared& connection::remembered(const statement& s)
{
    auto found = statements_.find(s.name);
    if (found == statements_.end()) {
        auto& seconds = metrics::get_histogram(
            "coursegate_db_query_seconds", "Time of a named statement", {{"query", std::string(s.name)}});
        // The key must outlive the entry: names that are not constants are copied for good.
        static std::mutex mutex;
        static std::unordered_map<std::string, int> names;
        std::string_view kept;
        {
            const std::lock_guard lock(mutex);
            kept = names.try_emplace(std::string(s.name), 0).first->first;
        }
        found = statements_.emplace(kept, prepared{std::string(s.sql), &seconds}).first;
    }
    return found->second;
}

pqxx::result connection::run(
    pqxx::transaction_base& work, const statement& s, const std::vector<param>& params)
{
    auto& known = remembered(s);
    const auto list = pqxx::prepare::make_dynamic_params(params);
    timed_statement timing(*known.seconds, slow_, s.name);
    pqxx::result out;
    {
        const round_trip waiting(*this);
        if (s.prepared && known.sql == s.sql) {
            const std::string name(s.name);
            work.conn().prepare(name, known.sql); // only remembers it; the server learns it at the first use
            out = work.exec_prepared(name, list);
        }
        else
            out = work.exec_params(std::string(s.sql), list);
    }
    timing.succeeded(static_cast<std::int64_t>(out.columns() > 0 ? out.size() : out.affected_rows()));
    return out;
}

pqxx::result connection::script(pqxx::transaction_base& work, const std::string& sql)
{
    const round_trip waiting(*this);
    return work.exec(sql);
}

void connection::once(const std::function<void(transaction&)>& body, commit_mode mode, afterwards& then)
{
    auto& usable = open();
    std::unique_ptr<pqxx::dbtransaction> work;
    {
        const round_trip waiting(*this);
        if (mode == commit_mode::snapshot)
            work = std::make_unique<pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>>(usable);
        else
            work = std::make_unique<pqxx::work>(usable);
    }
    try {
        transaction::access::run(*work, *this, attached_, body, then);
    }
    catch (...) {
        const round_trip waiting(*this);
        work.reset(); // ROLLBACK
        throw;
    }

    const round_trip waiting(*this);
    // Broken from here on means that nobody knows, unless libpqxx saw it before it sent COMMIT.
    if (!usable.is_open())
        throw pqxx::broken_connection("the connection broke before COMMIT");
    try {
        work->commit();
    }
    catch (const pqxx::sql_error& e) {
        if (passes(e.sqlstate())) // the server ended the session while committing
            throw pqxx::in_doubt_error(e.what());
        throw;
    }
}

// Between transactions the server has nothing to say but that it is going: a connection with something to
// read is a dead one.
bool connection::has_died_unseen()
{
    pollfd look{socket_, POLLIN | POLLRDHUP, 0};
    return open_ && ::poll(&look, 1, 0) > 0;
}

// The statement is its own COMMIT: a connection that breaks under it leaves everybody in doubt. One that died
// earlier (a restarted server) is found before anything is sent, and replaced.
void connection::alone(const std::function<void(transaction&)>& body, afterwards& then)
{
    if (has_died_unseen())
        drop();
    pqxx::nontransaction work(open());
    try {
        transaction::access::run(work, *this, attached_, body, then, true);
    }
    catch (const pqxx::broken_connection& e) {
        throw pqxx::in_doubt_error(e.what());
    }
    catch (const pqxx::sql_error& e) {
        if (ends_session(e.sqlstate()))
            throw pqxx::in_doubt_error(e.what());
        throw;
    }
}

afterwards connection::transact(
    const std::function<void(transaction&)>& body, commit_mode mode, const std::function<bool()>& may_retry)
{
    const metrics::stopwatch whole(transaction_seconds());
    const auto give_up = steady::now() + retry_for;
    base::backoff pause({std::chrono::milliseconds(20), std::chrono::milliseconds(500)});
    bool replanned = false;
    for (;;) {
        const char* reason = nullptr;
        std::string what;
        try {
            afterwards then;
            if (mode == commit_mode::by_itself)
                alone(body, then);
            else
                once(body, mode, then);
            return then;
        }
        catch (const pqxx::in_doubt_error& e) {
            drop();
            throw in_doubt("the connection broke during COMMIT: " + first_line(e.what()));
        }
        catch (const pqxx::statement_completion_unknown& e) {
            drop(); // 40003 before COMMIT: nothing of it can have been committed
            reason = "connection";
            what = first_line(e.what());
        }
        catch (const pqxx::broken_connection& e) {
            const bool was_open = open_ != nullptr;
            drop();
            reason = was_open ? "connection" : "connect";
            what = first_line(e.what());
            if (was_open)
                log::warning("database connection lost", {{"error", what}});
        }
        catch (const pqxx::deadlock_detected& e) {
            reason = "deadlock";
            what = first_line(e.what());
        }
        catch (const pqxx::transaction_rollback& e) {
            reason = "serialization";
            what = first_line(e.what());
        }
        catch (const pqxx::integrity_constraint_violation& e) {
            throw as_constraint_violation(e); // a deferred one, found at COMMIT
        }
        catch (const pqxx::feature_not_supported& e) {
            // "cached plan must not change result type": a migration altered a table under a prepared
            // statement.
            if (replanned)
                throw;
            replanned = true;
            drop();
            reason = "replan";
            what = first_line(e.what());
        }
        catch (const pqxx::sql_error& e) {
            // Elsewhere it is a standby that answers; here the server does what it was told to.
            if (mode == commit_mode::snapshot && e.sqlstate() == "25006")
                throw std::logic_error("a snapshot can't write: " + first_line(e.what()));
            if (!passes(e.sqlstate()) && dynamic_cast<const pqxx::insufficient_resources*>(&e) == nullptr)
                throw;
            drop();
            reason = "server";
            what = first_line(e.what());
        }

        const auto wait = pause.next();
        if (steady::now() + wait >= give_up || !may_retry())
            throw unavailable("PostgreSQL can't be used: " + what);
        count_retry(reason);
        std::this_thread::sleep_for(wait);
    }
}

void connection::plain(const std::string& sql)
{
    try {
        pqxx::nontransaction outside(open());
        outside.exec(sql);
    }
    catch (const pqxx::broken_connection& e) {
        drop();
        throw unavailable("PostgreSQL can't be used: " + first_line(e.what()));
    }
}

} // namespace coursegate::db
