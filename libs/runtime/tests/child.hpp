// Runs code that ends its process (exit, a signal) in a child and says how it ended.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>
#include <string>

namespace coursegate::runtime {

class child
{
public:
    explicit child(const std::function<void()>& body)
    {
        int ends[2];
        if (::pipe(ends) != 0)
            throw std::runtime_error("no pipe");
        pid_ = ::fork();
        if (pid_ < 0)
            throw std::runtime_error("no child");
        if (pid_ == 0) {
            ::dup2(ends[1], STDOUT_FILENO);
            ::dup2(ends[1], STDERR_FILENO);
            ::close(ends[0]);
            ::close(ends[1]);
            body();
            ::_exit(99);
        }
        ::close(ends[1]);
        from_ = ends[0];
    }
    ~child()
    {
        ::close(from_);
        if (!waited_)
            wait();
    }
    child(const child&) = delete;

    pid_t pid() const { return pid_; }

    // Blocks until the output holds `text`; false when it ended without.
    bool says(const std::string& text)
    {
        while (output_.find(text) == std::string::npos) {
            if (!read_more())
                return false;
        }
        return true;
    }

    // The exit code, or 1000 + signal.
    int wait()
    {
        while (read_more()) {
        }
        int status = 0;
        ::waitpid(pid_, &status, 0);
        waited_ = true;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }

    const std::string& output() const { return output_; }

private:
    bool read_more()
    {
        char buffer[1024];
        const auto n = ::read(from_, buffer, sizeof buffer);
        if (n > 0)
            output_.append(buffer, static_cast<std::size_t>(n));
        return n > 0;
    }

    pid_t pid_ = -1;
    int from_ = -1;
    bool waited_ = false;
    std::string output_;
};

} // namespace coursegate::runtime
