// Connections to PostgreSQL, each on its own thread, and `transact`, the only way to a transaction.
//
//   auto rows = co_await pool.transact([&](db::transaction& tx) { return tx.exec(find_user, id).size(); });
//
// The body is plain synchronous code on one of the pool's threads; rows become structs inside it. It may run
// more than once (deadlock, serialization failure, connection lost before COMMIT), so it changes program
// state only through its return value. Awaiting resumes on the awaiting coroutine's own executor.
#pragma once

#include "coursegate/async/component.hpp"
#include "coursegate/base/error.hpp"
#include "coursegate/base/secret.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <typeindex>

namespace coursegate::db {

class transaction;

// How a body runs: between BEGIN and COMMIT; as one statement that the server commits by itself; or reading
// one moment of the database.
enum class commit_mode
{
    at_the_end,
    by_itself,
    snapshot
};

// The database can't be reached, or the connection broke before COMMIT was sent and every retry failed too.
class unavailable : public base::dependency_down
{
public:
    using base::dependency_down::dependency_down;
};

// The connection broke during COMMIT, or under a statement that commits by itself: nobody can tell whether
// the transaction happened. Ask by a unique key (the inbox row of a message, the grant row of a call) before
// doing anything again.
class in_doubt : public base::dependency_down
{
public:
    using base::dependency_down::dependency_down;
};

// A constraint was violated; `constraint` is its name in the database. The transaction was rolled back.
class constraint_violation : public std::runtime_error
{
public:
    constraint_violation(const std::string& what, std::string constraint_name)
        : std::runtime_error(what), constraint(std::move(constraint_name))
    {}
    std::string constraint;
};

struct settings
{
    base::secret url;             // DATABASE_URL: postgresql://role:password@host[:port]/db[?…]
    std::string application_name; // shown in pg_stat_activity
    std::string search_path;      // the daemon's own slices, "accounts, catalog"
    int connections = 4;          // = threads; each opens its connection on first use
    std::chrono::milliseconds statement_timeout{15'000}; // also idle_in_transaction_session_timeout
    std::chrono::milliseconds slow{250};                 // logged as slow from here
};

// start() opens one connection (throws `unavailable` with the server's message when it can't); stop() lets
// queued bodies finish, then joins the threads; after it transact() throws `unavailable`. transact() may be
// called from any thread's coroutine. A transaction that has begun is not cancelled with its coroutine: it
// ends, then the next wait throws. The constructor throws base::bad_configuration when `url` is not a
// connection string.
class pool final : public async::component
{
public:
    pool(async::executor ex, settings s);
    ~pool() override;

    std::string_view name() const override { return "postgresql"; }
    async::task<void> start() override;
    async::task<void> stop() override;
    async::health check() const override; // ok while the last use of any connection succeeded

    // Runs body(tx) in a transaction and commits. Throws unavailable, in_doubt, constraint_violation, or what
    // the body threw (after a rollback). READ COMMITTED. What could not be committed for a reason that passes
    // (deadlock, serialization failure, lost connection, server full or starting) is tried again for about 3
    // s.
    template <class F>
    auto transact(F body) -> async::task<std::invoke_result_t<F&, transaction&>>
    {
        return run_body(std::move(body), commit_mode::at_the_end);
    }

    // One statement that commits by itself: one round trip in place of three. The body may run one
    // statement; a second one is a std::logic_error. As transact(), but a connection that breaks once the
    // statement is on its way throws in_doubt: for statements that may happen twice, or whose caller finds
    // out.
    template <class F>
    auto autocommit(F body) -> async::task<std::invoke_result_t<F&, transaction&>>
    {
        return run_body(std::move(body), commit_mode::by_itself);
    }

    // As transact(), for reading with several statements that must agree with each other: all of them see
    // the database as it was at the first one, and none may write (REPEATABLE READ READ ONLY).
    template <class F>
    auto snapshot(F body) -> async::task<std::invoke_result_t<F&, transaction&>>
    {
        return run_body(std::move(body), commit_mode::snapshot);
    }

    // In-process wake-ups: `topic` was named by transaction::wake_after_commit in a transaction of this pool
    // that has committed. The callback runs on a pool thread, must only set a signal, and stays until the
    // pool goes.
    void on_commit(std::string topic, std::function<void()> wake);

    // Makes `what` known to this pool's transactions as transaction::attached<T>(), as long as it lives.
    template <class T>
    void attach(const std::shared_ptr<T>& what)
    {
        attach(typeid(T), what);
    }

private:
    template <class F>
    auto run_body(F body, commit_mode mode) -> async::task<std::invoke_result_t<F&, transaction&>>
    {
        using R = std::invoke_result_t<F&, transaction&>;
        if constexpr (std::is_void_v<R>) {
            std::function<void(transaction&)> erased = [&body](transaction& tx) { body(tx); };
            co_await run(std::move(erased), mode);
        }
        else {
            std::optional<R> out;
            std::function<void(transaction&)> erased = [&body, &out](
                                                           transaction& tx) { out.emplace(body(tx)); };
            co_await run(std::move(erased), mode);
            co_return std::move(*out);
        }
    }
    async::task<void> run(std::function<void(transaction&)> body, commit_mode mode);
    void attach(std::type_index type, std::weak_ptr<void> what);

    struct impl;
    std::shared_ptr<impl> impl_;
};

// One connection, used synchronously on the caller's thread: command-line tools and tests.
class session
{
public:
    explicit session(const settings& s); // throws unavailable, base::bad_configuration
    ~session();

    template <class F>
    auto transact(F body) -> std::invoke_result_t<F&, transaction&>
    {
        using R = std::invoke_result_t<F&, transaction&>;
        if constexpr (std::is_void_v<R>)
            run([&body](transaction& tx) { body(tx); });
        else {
            std::optional<R> out;
            run([&body, &out](transaction& tx) { out.emplace(body(tx)); });
            return std::move(*out);
        }
    }

    // Statements outside a transaction (CREATE DATABASE, LISTEN); several separated by semicolons are
    // allowed.
    void execute_plain(const std::string& sql);

private:
    void run(const std::function<void(transaction&)>& body);

    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::db
