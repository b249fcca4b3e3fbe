#include "coursegate/testkit/process.hpp"

#include "coursegate/testkit/run.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace coursegate::testkit {

namespace {

[[noreturn]] void failed(const std::string& what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

std::vector<char*> pointers(std::vector<std::string>& all)
{
    std::vector<char*> out;
    for (auto& one : all)
        out.push_back(one.data());
    out.push_back(nullptr);
    return out;
}

} // namespace

int free_port()
{
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        failed("free_port");
    ::close(fd);
    return ntohs(address.sin_port);
}

std::string built_program(const std::string& name)
{
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

process::process(process_options o) : options_(std::move(o))
{
    if (options_.output.empty()) {
        std::string path = (std::filesystem::temp_directory_path() / "coursegate-output-XXXXXX").string();
        const int made = ::mkstemp(path.data());
        if (made < 0)
            failed("mkstemp");
        ::close(made);
        options_.output = path;
        remove_output_ = true;
    }
    const int out = ::open(options_.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (out < 0)
        failed(options_.output);

    // Everything is allocated before fork(): another thread may hold the allocator's lock.
    std::vector<std::string> arguments{options_.program};
    arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
    std::vector<std::string> environment;
    for (const auto& [name, value] : options_.environment)
        environment.push_back(name + "=" + value);
    for (const char* name :
        {"PATH", "HOME", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"})
        if (const char* value = std::getenv(name); value != nullptr && !options_.environment.contains(name))
            environment.push_back(std::string(name) + "=" + value);
    auto argv = pointers(arguments);
    auto envp = pointers(environment);
    const bool on_main_thread = ::syscall(SYS_gettid) == ::getpid();

    std::array<int, 2> report{};
    if (::pipe2(report.data(), O_CLOEXEC) != 0)
        failed("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
        // The wish to die with the test program is bound to the thread that forked.
        if (on_main_thread)
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int nothing = ::open("/dev/null", O_RDONLY);
        ::dup2(nothing, 0);
        ::dup2(out, 1);
        ::dup2(out, 2);
        ::signal(SIGPIPE, SIG_DFL); // the test program ignores it, which a new program would inherit
        ::execve(argv[0], argv.data(), envp.data());
        const int why = errno;
        [[maybe_unused]] const auto written = ::write(report[1], &why, sizeof why);
        ::_exit(127);
    }
    const int fork_error = errno;
    ::close(out);
    ::close(report[1]);
    int why = 0;
    const auto got = pid_ > 0 ? ::read(report[0], &why, sizeof why) : 0;
    ::close(report[0]);
    if (pid_ < 0)
        throw std::system_error(fork_error, std::generic_category(), "fork");
    if (got == static_cast<ssize_t>(sizeof why)) {
        ::waitpid(pid_, nullptr, 0);
        throw std::system_error(why, std::generic_category(), options_.program);
    }
}

process::~process()
{
    if (running()) {
        kill(SIGKILL);
        wait(std::chrono::seconds(10));
    }
    if (remove_output_) {
        std::error_code ignored;
        std::filesystem::remove(options_.output, ignored);
    }
}

bool process::running()
{
    if (ended_)
        return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_)
        return true;
    ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return false;
}

void process::kill(int signal)
{
    if (running())
        ::kill(pid_, signal);
}

std::optional<int> process::wait(std::chrono::milliseconds limit)
{
    eventually(limit, [this] { return !running(); });
    return ended_;
}

int process::stop(std::chrono::milliseconds limit)
{
    kill(SIGTERM);
    if (!wait(limit)) {
        kill(SIGKILL);
        wait(std::chrono::seconds(10));
    }
    return ended_.value_or(-1);
}

std::string process::output() const
{
    std::ifstream in(options_.output, std::ios::binary);
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
}

bool process::said(const std::string& text, std::chrono::milliseconds limit)
{
    const auto has = [&] { return output().find(text) != std::string::npos; };
    eventually(limit, [&] { return has() || !running(); });
    return has();
}

std::optional<std::string> process::logged(const std::string& text, const std::string& member) const
{
    const std::string all = output();
    const auto at = all.rfind(text);
    if (at == std::string::npos)
        return std::nullopt;
    const auto begin = all.rfind('\n', at) == std::string::npos ? 0 : all.rfind('\n', at) + 1;
    const auto line = all.substr(begin, all.find('\n', at) - begin);
    const std::string key = "\"" + member + "\":";
    auto value = line.find(key);
    if (value == std::string::npos)
        return std::nullopt;
    value = line.find_first_not_of(' ', value + key.size());
    if (value == std::string::npos)
        return std::nullopt;
    if (line[value] == '"')
        return line.substr(value + 1, line.find('"', value + 1) - value - 1);
    return line.substr(value, line.find_first_of(",}", value) - value);
}

} // namespace coursegate::testkit
