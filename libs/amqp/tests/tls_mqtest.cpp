// Against the private broker's TLS listener: TEST_AMQPS_URL and TEST_AMQP_CA_FILE, set by tests/run like
// TEST_AMQP_URL.
#include "fixture.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace coursegate;
using namespace coursegate::amqp;

namespace {

std::string setting(const char* name)
{
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

// The plain broker's fixture, its publisher and consumer by way of TLS. False: there is no TLS listener to
// talk to.
bool use_tls(fixture& f)
{
    const auto url = setting("TEST_AMQPS_URL");
    f.settings.ca_file = setting("TEST_AMQP_CA_FILE");
    if (url.empty() || f.settings.ca_file.empty()) {
        WARN("left out: TEST_AMQPS_URL and TEST_AMQP_CA_FILE are not set");
        return false;
    }
    f.settings.addresses = parse_addresses(base::secret(url));
    return true;
}

std::string refusal_of(const settings& s)
{
    try {
        declare(s, topology{});
    }
    catch (const base::dependency_down& e) {
        return e.what();
    }
    return "connected";
}

} // namespace

TEST_CASE("over TLS everything works as without: many messages, large ones, both directions")
{
    fixture f;
    if (!use_tls(f))
        return;
    std::size_t handled = 0;
    std::size_t bytes = 0;
    f.handle(
        [&](const events::lesson_passed&, events::message_context& context) -> async::task<events::verdict> {
            ++handled;
            bytes += context.envelope.data.size();
            co_return events::verdict::ack();
        });
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 1'500));
        auto big = messages(1, 1);
        big[0].body.insert(big[0].body.rfind('}') - 1, ",\"note\":\"" + std::string(500'000, 'x') + "\"");
        co_await f.publish(big);
        const bool all = co_await testkit::eventually_async(30s, [&] { return handled == 1'501; });
        CHECK(all);
    });
    CHECK(bytes > 500'000);
    CHECK(f.waiting() == 0);
}

TEST_CASE("a certificate of an authority that is not ours is refused, and the sentence says so")
{
    fixture f;
    if (!use_tls(f))
        return;
    f.settings.ca_file.clear(); // the system's authorities don't know the test authority
    CHECK_THAT(refusal_of(f.settings), Catch::Contains("not trusted"));
}

TEST_CASE("a certificate for another name is refused")
{
    fixture f;
    if (!use_tls(f))
        return;
    f.settings.addresses[0].host = "127.0.0.2"; // the same broker, but not in its certificate
    const auto why = refusal_of(f.settings);
    CHECK_THAT(why, Catch::Contains("not trusted") || Catch::Contains("can't be reached"));
    CHECK(why != "connected");
}

TEST_CASE("a file that holds no certificates is named")
{
    fixture f;
    if (!use_tls(f))
        return;
    const auto file = std::filesystem::temp_directory_path() / ("not-a-ca-" + f.broker.prefix() + ".pem");
    std::ofstream(file) << "hello";
    f.settings.ca_file = file;
    CHECK_THAT(refusal_of(f.settings), Catch::Contains(file.filename().string()));
    std::filesystem::remove(file);
}

TEST_CASE("TLS spoken to the plain port fails with a sentence, not a hang")
{
    fixture f;
    if (!use_tls(f))
        return;
    f.settings.addresses[0].port = f.broker.settings().addresses[0].port;
    CHECK(refusal_of(f.settings) != "connected");
}
